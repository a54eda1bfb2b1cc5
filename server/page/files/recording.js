/**
 * The supervision steps of one puzzle, kept to be looked at again.
 *
 * Of a long run not every step is kept: above the limit the spacing of those kept doubles. The
 * first step of an attempt, and the newest of all, stay as long as may be.
 */

/**
 * A step as it is kept; `changed` is worked out when it is shown, against the step kept before it.
 * @typedef {object} Step
 * @property {number} step over all attempts, from 1
 * @property {number} attempt from 1
 * @property {number} attemptStep from 1
 * @property {Uint8Array} cells
 * @property {Float32Array | null} confidence
 * @property {number | null} halt probability that the network gives to being done
 * @property {string} verdict
 * @property {Map<number, number>} assumed guessed symbols by cell
 * @property {number} clashing cells that break the rules
 */

export const MOST_STEPS = 4000;
const WIDEST = 16; // steps between two that are kept, before attempts are left out too

export class Recording {
  /** @param {number} [limit] of steps kept */
  constructor(limit = MOST_STEPS) {
    this.limit = limit;
    /** @type {Step[]} */
    this.steps = [];
    this.seen = 0; // steps that came, kept or not
    this.spacing = 1;
    this.attemptSpacing = 1;
  }

  get length() {
    return this.steps.length;
  }

  /** @returns {Step | undefined} */
  get newest() {
    return this.steps.at(-1);
  }

  /** @param {Step} step */
  add(step) {
    this.seen = Math.max(this.seen, step.step);
    const before = this.newest;
    // The newest is there whatever its number; once it is no more, it must have earned its place.
    if (before && !this.#stays(before, this.steps.at(-2))) this.steps.pop();
    this.steps.push(step);
    while (this.steps.length > this.limit && this.attemptSpacing < 2 ** 20) this.#thin();
  }

  /**
   * Where a step is, or the one kept before it.
   * @param {number} step
   * @returns {number} index; 0 if none is as early
   */
  indexOf(step) {
    let [low, high] = [0, this.steps.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.steps[middle].step <= step) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  /** @returns {number[]} indices of the first step kept of every attempt */
  attemptStarts() {
    const starts = [];
    for (let i = 0; i < this.steps.length; i += 1) {
      if (i === 0 || this.steps[i].attempt !== this.steps[i - 1].attempt) starts.push(i);
    }
    return starts;
  }

  #thin() {
    if (this.spacing < WIDEST) this.spacing *= 2;
    else this.attemptSpacing *= 2;
    const newest = this.steps.length - 1;
    this.steps = this.steps.filter(
      (step, i) => i === newest || this.#stays(step, this.steps[i - 1]),
    );
  }

  /**
   * @param {Step} step
   * @param {Step | undefined} before
   */
  #stays(step, before) {
    if (!before) return true;
    if (step.attempt !== before.attempt) return (step.attempt - 1) % this.attemptSpacing === 0;
    return this.attemptSpacing === 1 && step.attemptStep % this.spacing === 0;
  }
}
