/** One puzzle on its way: the server's events into a recording, and what is known of it so far. */

import { solveEvents } from "./api.js";
import { announce } from "./dom.js";
import { Recording } from "./recording.js";
import { clashes, flat } from "./sudoku_rules.js";

const ANNOUNCE_MS = 5000; // between two restarts that are said aloud

/** @typedef {"asking" | "thinking" | "ended" | "stopped" | "failed"} RunState */

/**
 * The frame that was asked for last, and what it is of.
 * @typedef {{step: object, earlier?: object, frame: import("./board.js").Frame}} Drawn
 */

export class Run {
  /**
   * @param {import("./sudoku_rules.js").Layout} layout
   * @param {Uint8Array} question
   * @param {() => void} onNews
   */
  constructor(layout, question, onNews) {
    this.layout = layout;
    this.question = question;
    this.onNews = onNews;
    this.recording = new Recording();
    /** @type {RunState} */
    this.state = "asking";
    /** @type {any} */
    this.start = null;
    /** @type {any} */
    this.result = null;
    this.controller = new AbortController();
    /** @type {Drawn | null} */
    this.drawn = null;
    this.announced = { attempt: 1, at: 0 };
  }

  get live() {
    return this.state === "asking" || this.state === "thinking";
  }

  /**
   * Until there is a result, or it was stopped.
   * @param {object} body
   * Throws Problem, ConnectionLost.
   */
  async follow(body) {
    announce("Solving has started.");
    try {
      for await (const { event, data } of solveEvents(body, this.controller.signal)) {
        if (event === "start") this.start = data;
        else if (event === "step") this.#record(data);
        else if (event === "result") this.result = data;
        this.state = this.result ? "ended" : "thinking";
        this.onNews();
      }
      announce(resultInWords(this.result));
    } catch (error) {
      this.state = this.controller.signal.aborted ? "stopped" : "failed";
      if (this.state === "failed") throw error;
      announce("Stopped.");
    } finally {
      this.onNews();
    }
  }

  stop() {
    this.controller.abort();
  }

  /**
   * What the board shows of a kept step.
   * @param {number} index
   * @returns {import("./board.js").Frame}
   */
  frame(index) {
    const step = this.recording.steps[index];
    const earlier = this.recording.steps[index - 1];
    const { drawn } = this;
    if (drawn?.step === step && drawn.earlier === earlier) return drawn.frame;
    const before = earlier?.cells ?? this.question;
    const changed = new Set();
    step.cells.forEach((value, cell) => {
      if (value !== before[cell]) changed.add(cell);
    });
    const frame = {
      cells: step.cells,
      givens: this.question,
      assumed: step.assumed,
      changed: index > 0 ? changed : new Set(), // in the first step all cells are new
      clashing: clashes(this.layout, step.cells),
      blamed: new Map(),
      confidence: step.confidence,
    };
    this.drawn = { step, earlier, frame };
    return frame;
  }

  /** @param {any} event */
  #record(event) {
    const { size } = this.layout;
    const cells = flat(size, event.grid);
    const at = (/** @type {any} */ one) => (one.row - 1) * size + one.column - 1;
    this.recording.add({
      step: event.step,
      attempt: event.attempt,
      attemptStep: event.attempt_step,
      cells,
      confidence: event.confidence && Float32Array.from(event.confidence.flat()),
      halt: event.halt_probability,
      verdict: event.verdict,
      assumed: new Map(event.assumed.map((/** @type {any} */ one) => [at(one), one.value])),
      clashing: clashes(this.layout, cells).size,
    });
    this.#announceRestart(event.attempt);
  }

  /** @param {number} attempt */
  #announceRestart(attempt) {
    const now = performance.now();
    const { announced } = this;
    if (attempt === announced.attempt || now - announced.at < ANNOUNCE_MS) return;
    this.announced = { attempt, at: now };
    announce(`Attempt ${attempt}.`);
  }
}

/** @param {any} result */
function resultInWords(result) {
  const spent = `${result.steps} steps, ${result.attempts} attempts.`;
  if (result.status === "solved") return `Solved, verified by the rules. ${spent}`;
  return `Unsolved: no answer that the rules accept was found. ${spent}`;
}
