import { sumPartials } from "../../src/kernels/sum_partials.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { sumPartials as reference } from "../reference/sum_partials.ts";

for (const groups of [1, 63, 331]) {
  gpuTest(`sum_partials of ${groups}`, async ({ gpu, input, output }) => {
    const partials = randomNormal("partials", 2 * groups).map(Math.abs);
    const sums = output("sums", [2]);
    sumPartials(gpu, { partials: input("partials", [groups, 2], partials) }, { sums });
    expectClose("sums", await gpu.read(sums), reference(partials));
  });
}
