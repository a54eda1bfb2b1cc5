/** The engine panel: what every lane is doing, looked at once a second while somebody sees it. */

import { ConnectionLost, getJson, Problem } from "./api.js";
import { byId, make } from "./dom.js";

const LOOK_MS = 1000;
const WINDOW = 4; // looks over which a rate is taken

/** @typedef {{at: number, engine: any}} Look at: seconds of the server's own clock */

/**
 * How fast a lane's total grows, by the looks at it.
 * @param {Look[]} looks oldest first
 * @param {string} puzzle
 * @param {string} model
 * @param {string[]} totals
 * @returns {number | null} a second; null before there are two looks at the same server
 */
export function rate(looks, puzzle, model, totals) {
  const [first, last] = [looks.at(0), looks.at(-1)].map((look) => {
    const lane = look?.engine.lanes.find(
      (/** @type {any} */ one) => one.puzzle === puzzle && one.model === model,
    );
    return (
      look && lane && { at: look.at, total: totals.reduce((sum, name) => sum + lane[name], 0) }
    );
  });
  if (!first || !last || last.at <= first.at) return null;
  return Math.max(0, last.total - first.total) / (last.at - first.at);
}

export class EnginePanel {
  constructor() {
    /** @type {Look[]} */
    this.looks = [];
    this.timer = 0;
    this.rows = new Map();
    document.addEventListener("visibilitychange", () => this.#schedule(0));
    this.#schedule(0);
  }

  /** @param {number} ms */
  #schedule(ms) {
    clearTimeout(this.timer);
    if (document.visibilityState === "visible") this.timer = setTimeout(() => this.#look(), ms);
  }

  async #look() {
    try {
      const engine = await getJson("v1/engine", { quietly: true });
      // A server that was started again counts from zero.
      if (engine.uptime_s < (this.looks.at(-1)?.at ?? 0)) this.looks = [];
      this.looks = [...this.looks, { at: engine.uptime_s, engine }].slice(-WINDOW);
      this.#render(engine);
    } catch (error) {
      this.looks = [];
      this.#tellState(error instanceof Problem ? problemState(error) : "unreachable");
      if (!(error instanceof Problem || error instanceof ConnectionLost)) throw error;
    }
    this.#schedule(LOOK_MS);
  }

  /** @param {any} engine */
  #render(engine) {
    this.#tellState(engine.state);
    byId("uptime").textContent = `up ${duration(engine.uptime_s)}`;
    const seen = new Set();
    for (const lane of engine.lanes) {
      const key = `${lane.puzzle} ${lane.model}`;
      seen.add(key);
      if (!this.rows.has(key)) this.#addRow(key, lane);
      this.#fill(this.rows.get(key), lane);
    }
    for (const [key, row] of this.rows) {
      if (seen.has(key)) continue;
      row.root.remove();
      this.rows.delete(key);
    }
  }

  /**
   * @param {string} key
   * @param {any} lane
   */
  #addRow(key, lane) {
    const bar = make("div", { class: "bar", role: "meter", "aria-valuemin": 0 }, make("span"));
    bar.setAttribute("aria-label", `slots in use, ${lane.puzzle}`);
    const cell = (/** @type {string} */ name, /** @type {string} */ label) =>
      make("td", { "data-part": name, "data-label": label }, "–");
    const slots = make("span", { class: "slots" }, "–");
    const root = make(
      "tr",
      { "data-puzzle": lane.puzzle },
      make(
        "th",
        { scope: "row" },
        lane.puzzle,
        make("small", {}, `${lane.model} · ${lane.runtime}`),
      ),
      make("td", { class: "wide" }, make("div", { class: "in-use" }, bar, slots)),
      cell("queue", "queue"),
      cell("steps", "steps/s"),
      cell("puzzles", "puzzles/s"),
      cell("solved", "solved"),
      cell("unsolved", "unsolved"),
    );
    byId("lanes").append(root);
    this.rows.set(key, { root, bar, slots });
  }

  /**
   * @param {{root: HTMLElement, bar: HTMLElement, slots: HTMLElement}} row
   * @param {any} lane
   */
  #fill({ root, bar, slots }, lane) {
    bar.style.setProperty("--share", String(lane.working / lane.slots));
    bar.setAttribute("aria-valuenow", String(lane.working));
    bar.setAttribute("aria-valuemax", String(lane.slots));
    slots.textContent = `${lane.working} / ${lane.slots}`;
    const put = (/** @type {string} */ part, /** @type {string} */ text) => {
      const cell = root.querySelector(`[data-part=${part}]`);
      if (cell && cell.textContent !== text) cell.textContent = text;
    };
    const behind = lane.background_waiting ? ` + ${whole(lane.background_waiting)} behind` : "";
    put("queue", `${whole(lane.waiting)}${behind}`);
    put("steps", figure(rate(this.looks, lane.puzzle, lane.model, ["rows_total"])));
    const totals = ["solved_total", "unsolved_total"];
    put("puzzles", figure(rate(this.looks, lane.puzzle, lane.model, totals)));
    // Of ARC no rule says: solved. Its rows halt by themselves, or are capped.
    const [ended, rest] = lane.puzzle.startsWith("arc-") ? [" halted", " capped"] : ["", ""];
    put("solved", whole(lane.solved_total) + ended);
    put("unsolved", whole(lane.unsolved_total) + rest);
  }

  /** @param {string} state */
  #tellState(state) {
    const place = byId("state");
    if (place.textContent !== state) place.textContent = state;
    place.dataset.state = state;
    byId("engine").dataset.state = state;
  }
}

/** @param {Problem} error */
function problemState(error) {
  return error.status === 401 ? "needs a key" : "unknown";
}

/** @param {number | null} value */
function figure(value) {
  if (value === null) return "–";
  return value >= 100 ? whole(Math.round(value)) : value.toFixed(1);
}

/** @param {number} value */
function whole(value) {
  return value.toLocaleString("en");
}

/** @param {number} seconds */
function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2880 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} days`;
}
