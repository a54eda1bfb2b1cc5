/** The curve over a run: halt probability and rule breaks by step, and where attempts begin. */

const WIDTH = 1000; // of the drawing's own units; the page stretches it
const HEIGHT = 100;
const MOST_POINTS = 1200; // more than a screen tells apart
const CLOSEST_MARKS = 7; // units between two attempts that are marked

/**
 * Values thinned to what can be told apart, peaks kept.
 * @param {(number | null)[]} values
 * @param {number} most
 * @returns {[number, number][]} index and value
 */
export function thinned(values, most = MOST_POINTS) {
  const known = /** @type {[number, number][]} */ (
    values.map((value, index) => [index, value]).filter(([, value]) => value !== null)
  );
  if (known.length <= most) return known;
  const buckets = Math.floor(most / 2);
  /** @type {[number, number][]} */
  const kept = [];
  for (let b = 0; b < buckets; b += 1) {
    const from = Math.floor((b * known.length) / buckets);
    const to = Math.floor(((b + 1) * known.length) / buckets);
    const bucket = known.slice(from, to);
    const low = bucket.reduce((a, one) => (one[1] < a[1] ? one : a));
    const high = bucket.reduce((a, one) => (one[1] > a[1] ? one : a));
    kept.push(...(low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]));
  }
  return kept;
}

export class Chart {
  /** @param {SVGSVGElement} svg with paths named by their data-part */
  constructor(svg) {
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.part = (/** @type {string} */ name) => svg.querySelector(`[data-part=${name}]`);
  }

  /**
   * @param {import("./recording.js").Recording} recording
   * @param {number} cells of the puzzle
   */
  draw(recording, cells) {
    const { steps } = recording;
    const x = (/** @type {number} */ index) => (index / Math.max(1, steps.length - 1)) * WIDTH;
    const y = (/** @type {number} */ share) => (1 - share) * (HEIGHT - 2) + 1;
    const line = (/** @type {[number, number][]} */ points) =>
      points.map(([index, share]) => `${x(index).toFixed(1)} ${y(share).toFixed(1)}`).join("L");
    const halt = thinned(steps.map((step) => step.halt));
    this.part("halt")?.setAttribute("d", halt.length > 1 ? `M${line(halt)}` : "");
    const wrong = thinned(steps.map((step) => step.clashing / cells));
    const area = wrong.length > 1 ? `M0 ${HEIGHT}L${line(wrong)}L${WIDTH} ${HEIGHT}Z` : "";
    this.part("clashing")?.setAttribute("d", area);
    this.part("attempts")?.setAttribute("d", attemptMarks(recording.attemptStarts().map(x)));
  }
}

/** @param {number[]} places in units, rising */
function attemptMarks(places) {
  let last = -Infinity;
  const marks = [];
  for (const place of places) {
    if (place - last < CLOSEST_MARKS) continue;
    marks.push(`M${place.toFixed(1)} 0V${HEIGHT}`);
    last = place;
  }
  return marks.join("");
}
