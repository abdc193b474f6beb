// Which tile a product is computed in. Every tile sums every entry in the same order: the choice changes the speed, not the result.

/** Rows x columns of an invocation, in registers. */
const REGISTER_TILES = ["4x4", "8x4", "4x8", "8x8"] as const;
/** Rows x columns of a workgroup of 256 invocations, staged in workgroup memory. */
const WORKGROUP_TILES = ["64x64", "128x64", "128x128"] as const;
export const TILES = [...REGISTER_TILES, ...WORKGROUP_TILES] as const;
export type Tile = (typeof TILES)[number];

/** The tiles worth a try: workgroup memory is slow where invocations take turns on a processor. */
export const candidateTiles = (software: boolean): readonly Tile[] => (software ? REGISTER_TILES : TILES);

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

/** Shapes that share a tile: by the number of rows. null: too thin for the choice to matter (LoRA's). */
export function classOf({ product, rows, columns, inner }: ProductShape): string | null {
  return columns <= 64 || inner <= 64 ? null : `${product} ${rowClass(rows)}`;
}

const rowClass = (rows: number): RowClass => (rows <= 8 ? "1-8 rows" : rows <= 64 ? "9-64 rows" : "65+ rows");

/**
 * What is taken where nothing was measured. On a graphics card all batches of sampling share a tile, as nothing has checked yet that its
 * compiler keeps the order of the sums in the other.
 */
function defaultTile(software: boolean, rows: RowClass): Tile {
  if (software) return rows === "1-8 rows" ? "4x8" : "8x8"; // docs/log.md, "Tiles on software adapters"
  return rows === "65+ rows" ? "64x64" : "4x4";
}

/** The tile of every class: the choices, and the defaults where there is none. */
export function allTiles(choices: TileChoices, software: boolean): TileChoices {
  const classes = PRODUCTS.flatMap((product) => ROW_CLASSES.map((rows) => [`${product} ${rows}`, defaultTile(software, rows)] as const));
  return Object.fromEntries(classes.map(([name, tile]) => [name, choices[name] ?? tile]));
}

/** A tile's rows and columns, and whether they are a workgroup's. */
export function tileSize(tile: Tile): { rows: number; columns: number; staged: boolean } {
  const [rows = 0, columns = 0] = tile.split("x").map(Number);
  return { rows, columns, staged: WORKGROUP_TILES.some((t) => t === tile) };
}
