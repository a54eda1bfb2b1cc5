/** The time line under a board: scrub, play, pause, speed. */

import { Chart } from "./chart.js";
import { byId } from "./dom.js";

const REDRAW_MS = 60; // the curve of a run that grows; the rest is drawn each frame

export class Timeline {
  /** @param {{onSpeed: (speed: import("./player.js").Speed) => void}} handlers */
  constructor(handlers) {
    this.root = byId("timeline");
    this.range = /** @type {HTMLInputElement} */ (byId("scrub"));
    this.play = byId("play");
    this.speed = /** @type {HTMLSelectElement} */ (byId("speed"));
    this.chart = new Chart(/** @type {any} */ (document.getElementById("chart")));
    /** @type {import("./player.js").Player | null} */
    this.player = null;
    this.cells = 0;
    this.drawn = { recording: /** @type {object | null} */ (null), seen: 0, at: 0 };
    this.range.addEventListener("input", () => this.player?.seek(this.range.valueAsNumber));
    this.play.addEventListener("click", () => this.player?.toggle());
    byId("first").addEventListener("click", () => this.player?.seek(0));
    byId("back").addEventListener("click", () => this.player?.seek(this.player.index - 1));
    byId("forward").addEventListener("click", () => this.player?.seek(this.player.index + 1));
    byId("last").addEventListener("click", () => this.player?.toEnd());
    this.speed.addEventListener("change", () => {
      const { value } = this.speed;
      handlers.onSpeed(value === "auto" || value === "live" ? value : Number(value));
    });
  }

  /**
   * @param {import("./player.js").Player | null} player null hides it
   * @param {number} cells of the puzzle
   */
  attach(player, cells) {
    this.player = player;
    this.cells = cells;
    this.root.hidden = player === null;
    this.drawn.recording = null;
  }

  /** Show where the player is. */
  render() {
    const { player } = this;
    if (!player) return;
    const { recording } = player;
    const step = recording.steps[player.index];
    this.range.max = String(Math.max(0, recording.length - 1));
    this.range.value = String(Math.max(0, player.index));
    this.range.setAttribute("aria-valuetext", step ? stepInWords(step, recording.seen) : "");
    this.play.dataset.state = player.playing ? "playing" : "resting";
    this.play.setAttribute("aria-label", player.playing ? "Pause" : "Play");
    byId("scrub-text").textContent = step
      ? `step ${step.step} of ${recording.seen} · attempt ${step.attempt}`
      : "waiting for the first step";
    this.#drawChart();
  }

  #drawChart() {
    const { recording, complete } = /** @type {import("./player.js").Player} */ (this.player);
    const { drawn } = this;
    const now = performance.now();
    const same = drawn.recording === recording;
    if (same && drawn.seen === recording.seen) return;
    if (same && !complete && now - drawn.at < REDRAW_MS) return;
    this.drawn = { recording, seen: recording.seen, at: now };
    this.chart.draw(recording, this.cells);
  }
}

/**
 * @param {import("./recording.js").Step} step
 * @param {number} all
 */
function stepInWords(step, all) {
  const halt = step.halt === null ? "" : `, halt probability ${step.halt.toFixed(2)}`;
  return `step ${step.step} of ${all}, attempt ${step.attempt}${halt}`;
}
