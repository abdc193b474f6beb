// Another engine where a GPU failed: the same model by the same kernels, on a new device.
import type { Engine } from "../ap2o/engine_student.ts";
import { LastingStudent } from "../ap2o/lasting_student.ts";
import { openInTime } from "../ap2o/patience.ts";
import type { Student } from "../ap2o/student.ts";
import { adapterName } from "../gpu/device.ts";
import { GpuFailure } from "../gpu/gpu.ts";
import { type ModelValues, openOnce } from "./open.ts";
import type { Progress } from "./progress.ts";

/**
 * Opens it; what the one before held is given up.
 * @throws GpuFailure where none can be opened
 */
export async function anotherEngine(before: Engine, values: ModelValues, progress: Progress): Promise<Engine> {
  const { tiles } = before.gpu;
  before.gpu.destroy();
  const failed = (error: unknown) => error instanceof GpuFailure; // there is a device, and it failed, too
  const engine = await openInTime(() => openOnce(values, progress, { tiles }), failed);
  if (adapterName(engine.device) !== adapterName(before.device))
    progress.say(`warning: the GPU is another one now (${adapterName(engine.device)}): from here on numbers may differ in the last digits`);
  return engine;
}

/** A student on the engine that is open; should its GPU be lost, on another one. */
export function lastingStudent(
  engine: Engine,
  values: ModelValues,
  progress: Progress,
  student: (engine: Engine) => Student | Promise<Student>,
): Promise<LastingStudent> {
  let current: Engine | null = null;
  const open = async () => {
    current = current ? await anotherEngine(current, values, progress) : engine;
    return student(current);
  };
  return LastingStudent.open({ open, told: (message) => progress.say(`warning: ${message}`), now: () => performance.now() });
}
