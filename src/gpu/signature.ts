// What a shader asks for, read from its own text: the launchers' tensors and parameters are checked against it.

export interface Binding {
  readonly name: string;
  readonly access: "read" | "read_write";
}

export interface Signature {
  /** Storage bindings in order: inputs (read) first, then outputs (read_write). */
  readonly bindings: readonly Binding[];
  /** Fields of `struct Params` in order; empty when the shader has none. */
  readonly params: readonly { readonly name: string; readonly type: "u32" | "i32" | "f32" }[];
}

const STORAGE = /@group\(0\) @binding\((\d+)\) var<storage, (read|read_write)> (\w+)/g;
const PARAMS = /struct Params \{([^}]*)\}/;
const FIELD = /(\w+): (u32|i32|f32)/g;

export function readSignature(shader: string, code: string): Signature {
  const bindings = [...code.matchAll(STORAGE)].map(([, number, access, name], i) => {
    if (Number(number) !== i) throw new Error(`${shader}.wgsl: binding ${name} has number ${number}, expected ${i}`);
    return { name: name!, access: access as Binding["access"] };
  });
  const struct = code.match(PARAMS)?.[1] ?? "";
  const params = [...struct.matchAll(FIELD)].map(([, name, type]) => ({ name: name!, type: type as "u32" | "i32" | "f32" }));
  return { bindings, params };
}
