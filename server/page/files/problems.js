/** What went wrong, in plain words. */

import { ConnectionLost, Problem } from "./api.js";

/**
 * @typedef {object} Told
 * @property {string} title
 * @property {string} detail what it means and what can be done
 * @property {{row: number, column: number, detail: string}[]} cells that are to blame, from 1
 * @property {boolean} again whether the same may do if it is tried again
 */

/** By status, for what a person can do something about. */
const ADVICE = new Map([
  [401, ["This server wants a key", "Try again to type it in."]],
  [403, ["This key may not do that", "The server knows the key, but does not let it ask this."]],
  [408, ["The request took too long to arrive", "Try again."]],
  [413, ["That is more than the server takes", ""]],
  [429, ["The server is busy", "More puzzles wait than it takes at once."]],
  [503, ["The server cannot take puzzles just now", "It is starting, stopping or recovering."]],
  [507, ["The server's disk is full", ""]],
]);

const MAY_PASS = new Set([401, 408, 429, 503]);

/**
 * @param {unknown} error
 * @returns {Told}
 */
export function inWords(error) {
  if (error instanceof ConnectionLost) {
    const detail = `${error.message} Is it still running? Your puzzle is kept here; try again.`;
    return { title: "The connection is lost", detail, cells: [], again: true };
  }
  if (!(error instanceof Problem)) {
    const detail = `Something in this page failed: ${String(error)}.`;
    return { title: "A fault of this page", detail, cells: [], again: false };
  }
  const [title, advice] = ADVICE.get(error.status) ?? [error.title || "The server refused", ""];
  const cells = /** @type {Told["cells"]} */ (error.errors.filter((one) => one.row && one.column));
  const wait = error.retryAfter ? `Try again in ${seconds(error.retryAfter)}.` : "";
  const detail = [advice, sentence(error.message), wait].filter(Boolean).join(" ");
  const again = error.retryAfter !== null || MAY_PASS.has(error.status);
  return { title, detail, cells, again };
}

/** @param {number} count */
function seconds(count) {
  return count === 1 ? "a second" : `${count} seconds`;
}

/**
 * A problem's detail, which begins small and ends without a stop.
 * @param {string} text
 */
function sentence(text) {
  const said = text.trim();
  if (!said) return "";
  return said[0].toUpperCase() + said.slice(1) + (/[.!?…]$/.test(said) ? "" : ".");
}
