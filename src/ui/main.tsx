// The page's entry: the real engine and the real sandbox.
import { openSandbox, startEngine } from "../worker/client.ts";
import { mountPage } from "./mount.tsx";
import { setUpTrustedTypes } from "./trusted_types.ts";

setUpTrustedTypes();

void mountPage({ connect: startEngine, openSandbox: () => openSandbox(document) });
