// The page's entry: the real engine and the real sandbox.
import { openSandbox, startEngine } from "../worker/client.ts";
import { mountPage } from "./mount.tsx";

void mountPage({ connect: startEngine, openSandbox: () => openSandbox(document) });
