/** What the server has loaded, as far as the Sudoku tab needs it. */

import { LAYOUTS } from "./sudoku_rules.js";

/** @typedef {Record<string, any>} Efforts */
/** @typedef {{name: string, puzzles: string[], efforts: Efforts, parameters: number}} Model */

/** @typedef {{name: string, efforts: Efforts}} Choice a model, for one size */

/**
 * Which models serve which size.
 * @param {Model[]} models
 * @param {Record<string, string>} defaults by puzzle, which model answers if none is named
 * @returns {Map<number, Choice[]>} smallest size first, the default model first of each
 */
export function servedSizes(models, defaults) {
  /** @type {[number, Choice[]][]} */
  const served = [...LAYOUTS.keys()].map((size) => {
    const puzzle = `sudoku-${size}x${size}`;
    const found = models.filter(({ puzzles }) => puzzles.includes(puzzle));
    found.sort((a, b) => Number(b.name === defaults[puzzle]) - Number(a.name === defaults[puzzle]));
    return [size, found.map(({ name, efforts }) => ({ name, efforts: efforts[puzzle] }))];
  });
  return new Map(served.filter(([, choices]) => choices.length));
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
