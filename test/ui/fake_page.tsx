// The page with the fake engine: open /test/ui/fake_page.html on Vite's dev server.
// ?speed=20 plays faster, ?adapter=gpu|software|none chooses what opening answers.

import { mountPage } from "../../src/ui/mount.tsx";
import { connectClient } from "../../src/worker/client.ts";
import { type FakeOptions, fakeEngine } from "./fake_engine.ts";

const parameters = new URLSearchParams(location.search);
const wanted = parameters.get("adapter");
const adapter: FakeOptions["adapter"] = wanted === "gpu" || wanted === "none" ? wanted : "software";
const options = { speed: Number(parameters.get("speed") ?? 1), adapter, steps: Number(parameters.get("steps") ?? 60) };

void mountPage({
  connect: (onEvent) => connectClient(fakeEngine(options), onEvent),
  openSandbox: async () => new MessageChannel().port1,
});
