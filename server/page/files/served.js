/** What the server has loaded, as far as the Sudoku tab needs it. */

import { LAYOUTS } from "./sudoku_rules.js";

/** @typedef {{puzzles: string[], efforts: Record<string, any>, parameters: number}} Model */

/**
 * @param {Model[]} models
 * @returns {Map<number, any>} efforts by size, smallest first
 */
export function servedSizes(models) {
  const found = models.flatMap(({ puzzles, efforts }) =>
    puzzles
      .map((name) => [Number(/^sudoku-(\d+)x\1$/.exec(name)?.[1]), efforts[name]])
      .filter(([size]) => LAYOUTS.has(size)),
  );
  return new Map(/** @type {[number, any][]} */ (found.sort((a, b) => a[0] - b[0])));
}

/**
 * What solves the Sudokus, in a few words.
 * @param {Model[]} models
 */
export function introduction(models) {
  const model = models.find(({ puzzles }) => puzzles.some((name) => name.startsWith("sudoku-")));
  if (!model) return "";
  const weights = model.parameters.toLocaleString("en");
  return (
    `A network of ${weights} weights refines its whole answer, one supervision step after the ` +
    "other. Where it is of two minds it guesses and begins again. Only the rules decide whether " +
    "it is right."
  );
}

/**
 * A command that asks what the page asks.
 * @param {object} body of `POST /v1/solve`
 */
export function curl(body) {
  const url = new URL("v1/solve", document.baseURI);
  return `curl -s ${url} -H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`;
}
