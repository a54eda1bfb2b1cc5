/** Sudoku as the page knows it: sizes, symbols, clashes, and puzzles as people paste them. */

/**
 * Boxes are `boxHeight` rows by `boxWidth` columns.
 * @typedef {{size: number, boxHeight: number, boxWidth: number}} Layout
 */

/** By their number: 0 is an empty cell. */
export const ALPHABET = ".123456789ABCDEFGHIJKLMNOP";
const EMPTY = ".0_*-?";

/** @type {ReadonlyMap<number, Layout>} */
export const LAYOUTS = new Map(
  [
    [4, 2, 2],
    [6, 2, 3],
    [9, 3, 3],
    [16, 4, 4],
    [25, 5, 5],
  ].map(([size, boxHeight, boxWidth]) => [size, { size, boxHeight, boxWidth }]),
);

/**
 * @param {number} size one of those there are
 * @returns {Layout}
 */
export function layoutOfSize(size) {
  return /** @type {Layout} */ (LAYOUTS.get(size));
}

/** A pasted text that is no puzzle. */
export class PasteError extends Error {}

/**
 * @param {string} character
 * @param {number} size
 * @returns {number | null} its number, 0 for empty; null for what is no symbol of this size
 */
export function valueOf(character, size) {
  if (EMPTY.includes(character)) return 0;
  const value = ALPHABET.indexOf(character.toUpperCase());
  return value >= 0 && value <= size ? value : null;
}

/**
 * @param {number} value 0 for empty
 * @returns {string} one character, or none
 */
export function symbolOf(value) {
  return value ? ALPHABET[value] : "";
}

/**
 * One line of characters, as the API takes it.
 * @param {ArrayLike<number>} cells
 */
export function toLine(cells) {
  return Array.from(cells, (value) => ALPHABET[value]).join("");
}

/**
 * @param {number} size
 * @param {number[][]} rows
 * @returns {Uint8Array} flat, row by row
 */
export function flat(size, rows) {
  const cells = new Uint8Array(size * size);
  rows.forEach((row, r) => row.forEach((value, c) => (cells[r * size + c] = value)));
  return cells;
}

/**
 * The box that a cell is in.
 * @param {Layout} layout
 * @param {number} index
 */
function boxOf({ size, boxHeight, boxWidth }, index) {
  const row = Math.floor(index / size);
  const column = index % size;
  return Math.floor(row / boxHeight) * boxHeight + Math.floor(column / boxWidth);
}

/**
 * Cells that have the symbol of another cell in their row, column or box.
 * @param {Layout} layout
 * @param {ArrayLike<number>} cells
 * @returns {Set<number>}
 */
export function clashes(layout, cells) {
  const { size } = layout;
  const first = new Int16Array(3 * size * (size + 1)).fill(-1);
  /** @type {Set<number>} */
  const found = new Set();
  for (let index = 0; index < cells.length; index += 1) {
    const value = cells[index];
    if (!value) continue;
    const units = [
      Math.floor(index / size),
      size + (index % size),
      2 * size + boxOf(layout, index),
    ];
    for (const unit of units) {
      const place = unit * (size + 1) + value;
      if (first[place] < 0) {
        first[place] = index;
      } else {
        found.add(first[place]);
        found.add(index);
      }
    }
  }
  return found;
}

/**
 * A puzzle out of what somebody copied somewhere: a line, rows, rows of numbers, or JSON.
 * @param {string} text
 * @returns {{layout: Layout, cells: Uint8Array}}
 * Throws PasteError, which says what is wrong and where.
 */
export function parsePuzzle(text) {
  const trimmed = text.trim();
  if (!trimmed) throw new PasteError("There is nothing in it.");
  if (trimmed.startsWith("[")) return fromJson(trimmed);
  const lines = trimmed.split(/\r?\n/).filter((line) => line.trim() && !isRuler(line));
  const rows = lines.map((line) =>
    line
      .replace(/[\s|,;]+/g, " ")
      .trim()
      .split(" "),
  );
  return fromNumbers(rows.flat()) ?? fromRows(rows.map((row) => row.join("")));
}

/**
 * Lines as `+---+---+` are drawn between rows.
 * @param {string} line
 */
function isRuler(line) {
  return /^[\s+\-=|]+$/.test(line) && /[+=]|-{2}/.test(line);
}

/**
 * Numbers such as 10 between blanks.
 * @param {string[]} words
 */
function fromNumbers(words) {
  const layout = layoutOf(words.length);
  if (!layout || !words.some((word) => /^\d\d$/.test(word))) return null;
  const cells = words.map((word) =>
    /^\d+$/.test(word) ? Number(word) : valueOf(word, layout.size),
  );
  return checked(layout, cells, words);
}

/** @param {string[]} rows */
function fromRows(rows) {
  const characters = Array.from(rows.join(""));
  const layout = layoutOf(characters.length);
  if (!layout) throw new PasteError(wrongLength(rows, characters.length));
  return checked(
    layout,
    characters.map((one) => valueOf(one, layout.size)),
    characters,
  );
}

/** @param {string} text */
function fromJson(text) {
  let rows;
  try {
    rows = JSON.parse(text);
  } catch (error) {
    throw new PasteError(
      `It begins like JSON, but is none: ${/** @type {Error} */ (error).message}.`,
    );
  }
  if (!Array.isArray(rows) || !rows.every(Array.isArray)) {
    throw new PasteError("In JSON it must be a list of rows, each a list of numbers.");
  }
  const layout = LAYOUTS.get(rows.length);
  const uneven = rows.findIndex((row) => row.length !== rows.length);
  if (!layout || uneven >= 0) {
    const where = uneven >= 0 ? `row ${uneven + 1} has ${rows[uneven].length} cells of ` : "";
    throw new PasteError(`Sizes are 4, 6, 9, 16 and 25: ${where}${rows.length} rows.`);
  }
  return checked(layout, rows.flat(), rows.flat().map(String));
}

/** @param {number} count of cells */
function layoutOf(count) {
  return LAYOUTS.get(Math.sqrt(count));
}

/**
 * @param {Layout} layout
 * @param {(number | null)[]} values
 * @param {string[]} words as they were pasted
 */
function checked(layout, values, words) {
  const { size } = layout;
  values.forEach((value, index) => {
    if (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= size) return;
    const place = `row ${Math.floor(index / size) + 1}, column ${(index % size) + 1}`;
    const known = `1–${ALPHABET[size]} or . for empty`;
    throw new PasteError(`“${words[index]}” in ${place} is not one of ${known}.`);
  });
  return { layout, cells: Uint8Array.from(/** @type {number[]} */ (values)) };
}

/**
 * @param {string[]} rows
 * @param {number} count of characters
 */
function wrongLength(rows, count) {
  const usual = rows.length > 1 && LAYOUTS.has(rows.length) ? rows.length : 0;
  const uneven = rows.findIndex((row) => row.length !== usual);
  if (usual && uneven >= 0) {
    return `Row ${uneven + 1} has ${rows[uneven].length} characters, expected ${usual}.`;
  }
  return `${count} characters; a puzzle has 16, 36, 81, 256 or 625.`;
}
