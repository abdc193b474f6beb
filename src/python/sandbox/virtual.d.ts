// Made by scripts/pyodide_assets.ts: worker.ts bundled into the text of one classic script.
declare module "virtual:sandbox-worker" {
  const source: string;
  export default source;
}
