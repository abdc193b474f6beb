// Which tile a product is computed in. Every tile sums every entry in the same order: the choice changes the speed, not the result.

/** Rows x columns of an invocation, in registers. */
const REGISTER_TILES = ["4x4", "8x4", "4x8", "8x8"] as const;
/** Rows x columns of an invocation that shares its loads with the three others of its quad. */
const QUAD_TILES = ["8x4 quads", "16x4 quads"] as const;
/** Rows x columns of a workgroup of 256 invocations, staged in workgroup memory. */
const WORKGROUP_TILES = ["64x64", "128x64", "128x128"] as const;
export const TILES = [...REGISTER_TILES, ...QUAD_TILES, ...WORKGROUP_TILES] as const;
export type Tile = (typeof TILES)[number];

/** What the choice of tiles depends on: whether the adapter computes on the processor, and whether it has subgroups. */
export interface TileAdapter {
  readonly software: boolean;
  readonly subgroups: boolean;
}

/** The tiles worth a try: workgroup memory is slow where invocations take turns on a processor, and a load is what costs most there. */
export function candidateTiles({ software, subgroups }: TileAdapter): readonly Tile[] {
  if (!software) return [...REGISTER_TILES, ...WORKGROUP_TILES];
  return subgroups ? [...REGISTER_TILES, ...QUAD_TILES] : REGISTER_TILES;
}

/** The products that come in tiles: x weightᵀ and dy weight. */
export const PRODUCTS = ["linear", "linear_backward"] as const;
export type Product = (typeof PRODUCTS)[number];

/** The tile of each class of shapes, by classOf's names; what a run records. */
export type TileChoices = Readonly<Record<string, Tile>>;

export interface ProductShape {
  readonly product: Product;
  readonly rows: number;
  readonly columns: number;
  /** Length of the sums. */
  readonly inner: number;
}

const ROW_CLASSES = ["1-8 rows", "9-64 rows", "65+ rows"] as const;
type RowClass = (typeof ROW_CLASSES)[number];

/** Shapes that share a tile: by the number of rows. null: too thin to be worth a measurement (LoRA's). */
export function classOf({ product, rows, columns, inner }: ProductShape): string | null {
  return columns <= 64 || inner <= 64 ? null : `${product} ${rowClass(rows)}`;
}

const rowClass = (rows: number): RowClass => (rows <= 8 ? "1-8 rows" : rows <= 64 ? "9-64 rows" : "65+ rows");

/** The tile of products that belong to no class. */
export function thinTile({ software, subgroups }: TileAdapter, { rows }: ProductShape): Tile {
  if (!software || !subgroups) return "4x4";
  return rows <= 8 ? "8x4 quads" : "16x4 quads";
}

/**
 * What is taken where nothing was measured. On a graphics card all batches of sampling share a tile, as nothing has checked yet that its
 * compiler keeps the order of the sums in the other.
 */
function defaultTile({ software, subgroups }: TileAdapter, rows: RowClass): Tile {
  if (!software) return rows === "65+ rows" ? "64x64" : "4x4";
  if (rows === "1-8 rows") return subgroups ? "8x4 quads" : "4x8"; // docs/log.md, "Tiles on software adapters"
  return subgroups ? "16x4 quads" : "8x8";
}

/** The tile of every class: the choices that the adapter can run, and the defaults where there is none. */
export function allTiles(choices: TileChoices, adapter: TileAdapter): TileChoices {
  const classes = PRODUCTS.flatMap((product) => ROW_CLASSES.map((rows) => [`${product} ${rows}`, defaultTile(adapter, rows)] as const));
  const runs = (tile: Tile | undefined) => tile && (adapter.subgroups || !isQuadTile(tile));
  return Object.fromEntries(classes.map(([name, tile]) => [name, runs(choices[name]) ? choices[name]! : tile]));
}

const isQuadTile = (tile: Tile): boolean => QUAD_TILES.some((t) => t === tile);

/** A tile's rows and columns, and where its invocations share what they load: nowhere, in their quad, or in workgroup memory. */
export function tileSize(tile: Tile): { rows: number; columns: number; shared: "nowhere" | "quad" | "workgroup" } {
  const [rows = 0, columns = 0] = tile.split(/[x ]/).map(Number);
  if (isQuadTile(tile)) return { rows, columns, shared: "quad" };
  return { rows, columns, shared: WORKGROUP_TILES.some((t) => t === tile) ? "workgroup" : "nowhere" };
}
