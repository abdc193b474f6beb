// An ONNX model of one product, written by hand: what onnxruntime-web is given to compute. The file format is protocol buffers.

const FLOAT = 1;
const OPSET = 17;
const IR_VERSION = 8;

/** A model whose output y [rows, N] is its input x [rows, K] times `weight` [K, N]. */
export function productModel(rows: number, K: number, N: number, weight: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const node = message(text(1, "x"), text(1, "w"), text(2, "y"), text(4, "MatMul"));
  const initializer = message(number(1, K), number(1, N), number(2, FLOAT), text(8, "w"), bytes(9, new Uint8Array(weight.buffer)));
  const graph = message(
    bytes(1, node),
    text(2, "product"),
    bytes(5, initializer),
    bytes(11, matrix("x", [rows, K])),
    bytes(12, matrix("y", [rows, N])),
  );
  return message(number(1, IR_VERSION), bytes(7, graph), bytes(8, message(text(1, ""), number(2, OPSET))));
}

/** A ValueInfoProto. */
function matrix(name: string, shape: readonly number[]): Uint8Array {
  const dimensions = shape.map((size) => bytes(1, number(1, size)));
  return message(text(1, name), bytes(2, bytes(1, message(number(1, FLOAT), bytes(2, message(...dimensions))))));
}

function message(...fields: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(fields.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const field of fields) {
    whole.set(field, at);
    at += field.length;
  }
  return whole;
}

const number = (field: number, value: number): Uint8Array => Uint8Array.from([field << 3, ...varint(value)]);
const bytes = (field: number, value: Uint8Array): Uint8Array =>
  message(Uint8Array.from([(field << 3) | 2, ...varint(value.length)]), value);
const text = (field: number, value: string): Uint8Array => bytes(field, new TextEncoder().encode(value));

function varint(value: number): number[] {
  const low = value % 128;
  return value < 128 ? [value] : [low | 128, ...varint(Math.floor(value / 128))];
}
