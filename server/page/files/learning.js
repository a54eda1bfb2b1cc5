/** A task that nobody knows, handed in to be learnt, and how far that is. */

import { getJson, postJson } from "./api.js";
import { announce, button, byId, make } from "./dom.js";
import { Notice } from "./notice.js";

const LOOK_MS = 1000;
const MINUTES = 5;

const STATES = {
  queued: "waits",
  adapting: "is being learnt",
  ready: "is learnt",
  failed: "failed",
};
const PHASES = {
  starting: "starting",
  held_out: "learning, one demonstration held out as a check",
  all: "learning from all demonstrations",
  exporting: "exporting what was learnt",
  done: "done",
};

export class Learning {
  /**
   * @param {() => {train: import("./arc_task.js").Pair[], side: number}} asked
   * @param {(id: string) => void} onReady
   */
  constructor(asked, onReady) {
    this.asked = asked;
    this.onReady = onReady;
    this.notice = new Notice(byId("learn-notice"));
    this.timer = 0;
    const minutes = /** @type {HTMLInputElement} */ (byId("learn-minutes"));
    minutes.value = String(MINUTES);
    byId("learn").addEventListener("click", () => this.#handIn(minutes.valueAsNumber || MINUTES));
  }

  /**
   * Tasks that were handed in before, by anybody.
   * @param {any[]} tasks
   */
  show(tasks) {
    const going = tasks.find(({ state }) => state === "adapting" || state === "queued");
    if (going) this.#follow(going);
  }

  /** @param {number} minutes */
  async #handIn(minutes) {
    this.notice.clear();
    clearTimeout(this.timer);
    try {
      const { body } = await postJson("v1/tasks", { ...this.asked(), minutes });
      announce(`The task ${STATES[/** @type {keyof typeof STATES} */ (body.state)]}.`);
      this.#follow(body);
    } catch (error) {
      this.notice.tellError(error);
    }
  }

  /** @param {any} task */
  #follow(task) {
    this.#render(task);
    if (task.state === "ready") {
      announce("The task is learnt and can be asked.");
      this.onReady(task.id);
    } else if (task.state !== "failed") {
      this.timer = setTimeout(() => this.#look(task.id), LOOK_MS);
    }
  }

  /** @param {string} id */
  async #look(id) {
    try {
      this.#follow(await getJson(`v1/tasks/${encodeURIComponent(id)}`));
    } catch (error) {
      this.notice.tellError(error, () => this.#look(id));
    }
  }

  /** @param {any} task */
  #render(task) {
    const { progress } = task;
    const state = STATES[/** @type {keyof typeof STATES} */ (task.state)];
    const place = task.queue_position ? `, ${task.queue_position} in the queue` : "";
    const lines = [make("strong", {}, `${task.name ?? task.id} ${state}${place}`)];
    if (task.state === "adapting" && progress) {
      lines.push(make("span", {}, PHASES[/** @type {keyof typeof PHASES} */ (progress.phase)]));
      lines.push(progressBar(progress), figures(progress));
    }
    if (task.problem) lines.push(make("span", { class: "wrong" }, task.problem.detail));
    if (task.state === "ready")
      lines.push(button("Ask this task", () => this.onReady(task.id), { class: "quiet" }));
    byId("learn-progress").replaceChildren(...lines);
  }
}

/** @param {any} progress */
function progressBar({ seconds, seconds_left: left }) {
  const bar = make(
    "div",
    { class: "bar", role: "progressbar", "aria-label": "time to learn" },
    make("span"),
  );
  if (seconds != null && left != null) {
    const share = seconds / Math.max(1e-6, seconds + left);
    bar.style.setProperty("--share", share.toFixed(3));
    bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
  }
  return bar;
}

/** @param {any} progress */
function figures(progress) {
  const rows = [
    ["try", progress.attempt, String],
    ["optimizer steps", progress.optimizer_steps, String],
    ["at most", progress.seconds_left, (/** @type {number} */ s) => `${Math.ceil(s)} s`],
    ["loss", progress.loss, (/** @type {number} */ x) => x.toFixed(4)],
    [
      "held out, right",
      progress.held_out_accuracy,
      (/** @type {number} */ x) => `${Math.round(100 * x)} %`,
    ],
  ];
  const told = rows.filter(([, value]) => value != null);
  return make(
    "dl",
    { class: "figures" },
    ...told.map(([name, value, format]) =>
      make("div", {}, make("dt", {}, name), make("dd", {}, format(value))),
    ),
  );
}
