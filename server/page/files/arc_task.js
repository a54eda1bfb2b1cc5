/** ARC tasks as the page knows them: pairs of grids, read from the published JSON. */

/** @typedef {number[][]} Grid rows of colours 0–9 */
/** @typedef {{input: Grid, output: Grid}} Pair */
/** @typedef {{input: Grid, output: Grid | null}} Question output: the answer, where it is told */
/** @typedef {{train: Pair[], test: Question[]}} Task */

export const LONGEST_SIDE = 30;
const SIDE = 3; // of a new grid

/** A pasted text that is no task. */
export class TaskError extends Error {}

/** @returns {Grid} black */
export function blankGrid(height = SIDE, width = SIDE) {
  return Array.from({ length: height }, () => new Array(width).fill(0));
}

/**
 * What fits stays, what is new is black.
 * @param {Grid} grid
 * @param {number} height
 * @param {number} width
 * @returns {Grid}
 */
export function resized(grid, height, width) {
  return blankGrid(height, width).map((row, r) => row.map((_, c) => grid[r]?.[c] ?? 0));
}

/**
 * @param {Grid | null} one
 * @param {Grid | null} other
 */
export function sameGrid(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** @param {Grid} grid */
export function sizeInWords(grid) {
  return `${grid.length} by ${grid[0].length}`;
}

/**
 * A task from `{"train": [{"input", "output"}…], "test": [{"input", …}…]}`.
 * @param {string} text
 * @returns {Task}
 * Throws TaskError, which says what is wrong and where.
 */
export function parseTask(text) {
  let raw;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw new TaskError(`This is not JSON: ${/** @type {Error} */ (error).message}.`);
  }
  if (!Array.isArray(raw?.train) || !raw.train.length) {
    throw new TaskError("Expected an object with `train`, a list of at least one pair.");
  }
  const test = raw.test ?? [];
  if (!Array.isArray(test)) throw new TaskError("`test` is not a list.");
  return {
    train: raw.train.map((/** @type {any} */ pair, /** @type {number} */ i) => ({
      input: readGrid(pair?.input, `train[${i}].input`),
      output: readGrid(pair?.output, `train[${i}].output`),
    })),
    test: test.map((/** @type {any} */ one, /** @type {number} */ i) => ({
      input: readGrid(one?.input, `test[${i}].input`),
      output: one.output === undefined ? null : readGrid(one.output, `test[${i}].output`),
    })),
  };
}

/**
 * @param {any} raw
 * @param {string} place
 * @returns {Grid}
 */
function readGrid(raw, place) {
  if (!Array.isArray(raw) || !raw.length || !raw.every((row) => Array.isArray(row) && row.length)) {
    throw new TaskError(`${place}: expected rows of colours.`);
  }
  if (raw.length > LONGEST_SIDE || raw[0].length > LONGEST_SIDE) {
    throw new TaskError(`${place}: ${sizeInWords(raw)} cells; at most 30 by 30.`);
  }
  raw.forEach((row, r) => {
    if (row.length !== raw[0].length) {
      throw new TaskError(
        `${place}: row ${r + 1} has ${row.length} cells, row 1 has ${raw[0].length}.`,
      );
    }
    row.forEach((/** @type {any} */ cell, /** @type {number} */ c) => {
      if (Number.isInteger(cell) && cell >= 0 && cell <= 9) return;
      const said = JSON.stringify(cell);
      throw new TaskError(`${place}: ${said} in row ${r + 1}, column ${c + 1} is no colour 0–9.`);
    });
  });
  return raw.map((row) => [...row]);
}
