import type { DeviceInfo, ModelInfo } from "../worker/protocol.ts";
import { EMBEDDED_MODEL } from "./machine/workbench.ts";
import { countText } from "./number_text.ts";
import { useSession } from "./session.ts";
import { isSoftwareAdapter } from "./webgpu_help.ts";

function deviceText(device: DeviceInfo): string {
  const name = [device.vendor, device.architecture, device.description].filter((part) => part !== "").join(" · ");
  return name || "unnamed adapter";
}

function DeviceLine({ device }: { device: DeviceInfo | null }) {
  if (!device) return <p>GPU: none opened yet</p>;
  return (
    <p>
      <span>GPU: {deviceText(device)}</span>
      {isSoftwareAdapter(device) && <strong> · software adapter: the CPU does the work, slowly</strong>}
    </p>
  );
}

function ModelLine({ model }: { model: ModelInfo | null }) {
  if (!model) return <p>Model: none loaded yet</p>;
  return (
    <p title={`${model.vocabularySize} tokens, context of ${model.contextLength}, weights held as ${model.dtype}.`}>
      Model: {model.id}, {countText(model.parameters)} parameters, {model.layers} layers
      {model.id === EMBEDDED_MODEL && " · writes short Python functions, nothing else"}
    </p>
  );
}

/** On what the run computes, and with which model. */
export function StatusBar() {
  const session = useSession();
  return (
    <footer class="status">
      <DeviceLine device={session.workbench.device.value} />
      <ModelLine model={session.workbench.model.value} />
    </footer>
  );
}
