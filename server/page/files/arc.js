/** The ARC tab: a task is picked, pasted or drawn, and its questions are put to the network. */

import { getJson, solveEvents } from "./api.js";
import { GridEditor } from "./arc_editor.js";
import { picture } from "./arc_picture.js";
import { blankGrid, parseTask, sizeInWords, TaskError } from "./arc_task.js";
import { Votes } from "./arc_votes.js";
import { announce, button, byId, make } from "./dom.js";
import { Learning } from "./learning.js";
import { Notice } from "./notice.js";
import { milliseconds } from "./readout.js";

const FIRST_CHOICE = "3618c87e"; // of the known tasks, where it is one: it is answered well

/** @returns {import("./arc_task.js").Task} */
function newTask() {
  const pair = () => ({ input: blankGrid(), output: blankGrid() });
  return { train: [pair(), pair()], test: [{ input: blankGrid(), output: null }] };
}

export class ArcTab {
  /** @param {{puzzles: string[]}[]} models as the server lists them */
  constructor(models) {
    const served = models.some(({ puzzles }) => puzzles.some((name) => name.startsWith("arc-")));
    byId("arc-absent").hidden = served;
    byId("arc-bench").hidden = !served;
    if (!served) return;
    this.notice = new Notice(byId("arc-notice"));
    this.task = newTask();
    /** @type {string | null} id of the known task whose demonstrations are shown */
    this.known = null;
    this.numbers = false;
    /** @type {AbortController | null} */
    this.controller = null;
    /** @type {Votes | null} */
    this.votes = null;
    this.learning = new Learning(() => this.task.train, (id) => this.#learnt(id));
    this.#wire();
    this.#render();
    this.#listTasks(true);
  }

  #wire() {
    byId("arc-solve").addEventListener("click", () => this.#solve());
    byId("arc-stop").addEventListener("click", () => this.controller?.abort());
    byId("arc-new").addEventListener("click", () => this.#load(newTask(), null));
    byId("add-pair").addEventListener("click", () => {
      this.task.train.push({ input: blankGrid(), output: blankGrid() });
      this.#changed();
    });
    byId("add-question").addEventListener("click", () => {
      this.task.test.push({ input: blankGrid(), output: null });
      this.#render();
    });
    const known = /** @type {HTMLInputElement} */ (byId("known-task"));
    known.addEventListener("change", () => known.value.trim() && this.#pick(known.value.trim()));
    const numbers = /** @type {HTMLInputElement} */ (byId("arc-numbers"));
    numbers.addEventListener("change", () => {
      this.numbers = numbers.checked;
      this.#render();
      this.votes?.render();
    });
    const field = /** @type {HTMLTextAreaElement} */ (byId("task-text"));
    byId("task-use").addEventListener("click", () => {
      if (!this.#paste(field.value)) return;
      field.value = "";
      /** @type {HTMLDetailsElement} */ (byId("task-paste")).open = false;
    });
  }

  /** @param {boolean} first whether one is picked to begin with */
  async #listTasks(first) {
    try {
      const { tasks, adapted } = await getJson("v1/tasks");
      byId("known-tasks").replaceChildren(...tasks.map((/** @type {string} */ value) => make("option", { value })));
      byId("known-count").textContent = `${tasks.length.toLocaleString("en")} are known`;
      if (!first) return;
      this.learning?.show(adapted);
      if (tasks.length) await this.#pick(tasks.includes(FIRST_CHOICE) ? FIRST_CHOICE : tasks[0]);
    } catch (error) {
      this.notice?.tellError(error, () => this.#listTasks(first));
    }
  }

  /** @param {string} id */
  async #pick(id) {
    try {
      const { train } = await getJson(`v1/tasks/${encodeURIComponent(id)}/demonstrations`);
      // A known task has no question of its own; one that can be changed is better than none.
      const input = train[0].input.map((/** @type {number[]} */ row) => [...row]);
      this.#load({ train, test: [{ input, output: null }] }, id);
    } catch (error) {
      this.notice?.tellError(error);
    }
  }

  /** @param {string} text */
  #paste(text) {
    try {
      this.#load(parseTask(text), null);
      return true;
    } catch (error) {
      if (!(error instanceof TaskError)) throw error;
      this.notice?.tell("That is no task that this page can read", error.message);
      return false;
    }
  }

  /** @param {string} id */
  #learnt(id) {
    this.known = id;
    this.#listTasks(false);
    this.#render();
  }

  /**
   * @param {import("./arc_task.js").Task} task
   * @param {string | null} known
   */
  #load(task, known) {
    this.controller?.abort();
    this.notice?.clear();
    this.task = task;
    this.known = known;
    this.votes = null;
    byId("votes").replaceChildren();
    byId("arc-outcome").textContent = "";
    this.#render();
  }

  /** The demonstrations are not those of a known task any more. */
  #changed() {
    this.known = null;
    this.#render();
  }

  #render() {
    const { train, test } = this.task;
    byId("pairs").replaceChildren(...train.map((pair, i) => this.#pair(pair, i)));
    byId("questions").replaceChildren(...test.map((question, i) => this.#question(question, i)));
    const shown = /** @type {HTMLInputElement} */ (byId("known-task"));
    shown.value = this.known ?? "";
    byId("known-note").hidden = this.known === null;
  }

  /**
   * @param {import("./arc_task.js").Pair} pair
   * @param {number} index
   */
  #pair(pair, index) {
    const name = `demonstration ${index + 1}`;
    const remove = button("Remove", () => {
      this.task.train.splice(index, 1);
      this.#changed();
    }, { class: "quiet", "aria-label": `Remove ${name}` });
    remove.hidden = this.task.train.length === 1;
    const side = (/** @type {"input" | "output"} */ which) =>
      this.#editable(pair[which], `${name}, ${which}`, (grid) => {
        pair[which] = grid;
        this.known = null;
      });
    const arrow = make("span", { class: "arrow", "aria-hidden": "true" }, "→");
    return make("li", {}, make("div", { class: "pair" }, side("input"), arrow, side("output")), remove);
  }

  /**
   * @param {import("./arc_task.js").Question} question
   * @param {number} index
   */
  #question(question, index) {
    const name = `question ${index + 1}`;
    const remove = button("Remove", () => {
      this.task.test.splice(index, 1);
      this.#render();
    }, { class: "quiet", "aria-label": `Remove ${name}` });
    remove.hidden = this.task.test.length === 1;
    const grid = this.#editable(question.input, name, (changed) => {
      question.input = changed;
      question.output = null; // it was the answer to another question
    });
    return make("li", {}, make("div", { class: "pair" }, grid), remove);
  }

  /**
   * A picture that turns into an editor.
   * @param {import("./arc_task.js").Grid} grid
   * @param {string} label
   * @param {(grid: import("./arc_task.js").Grid) => void} onChange
   */
  #editable(grid, label, onChange) {
    const open = button("", () => {
      const editor = new GridEditor(grid, label, {
        numbers: this.numbers,
        onChange,
        onDone: () => {
          this.#render();
          this.#focusOn(label);
        },
      });
      open.replaceWith(editor.root);
      editor.focus();
    }, { class: "editable", "aria-label": `Edit ${label}, ${sizeInWords(grid)}`, "data-label": label });
    open.append(picture(grid, { label, numbers: this.numbers }));
    return open;
  }

  /** @param {string} label */
  #focusOn(label) {
    const found = [...document.querySelectorAll(".editable")].find(
      (one) => /** @type {HTMLElement} */ (one).dataset.label === label,
    );
    /** @type {HTMLElement | undefined} */ (found)?.focus();
  }

  async #solve() {
    this.notice?.clear();
    const { train, test } = this.task;
    const told = this.known ? { task: this.known } : { train };
    const body = { kind: "arc", ...told, test: test.map(({ input }) => input) };
    const controller = new AbortController();
    this.controller = controller;
    const votes = new Votes(byId("votes"), structuredClone(test), () => this.numbers);
    this.votes = votes;
    votes.render();
    this.#solving(true);
    announce("The views are voting.");
    try {
      for await (const { event, data } of solveEvents(body, controller.signal)) {
        if (event === "start") votes.begin(data);
        else if (event === "step") votes.step(data);
        else if (event === "result") this.#end(votes, data);
      }
    } catch (error) {
      if (controller.signal.aborted) byId("arc-outcome").textContent = "Stopped.";
      else this.#fail(error);
    } finally {
      if (this.controller === controller) this.#solving(false);
    }
  }

  /**
   * @param {Votes} votes
   * @param {any} result
   */
  #end(votes, result) {
    votes.end(result);
    const { queue_ms: queue, compute_ms: compute } = result.timing;
    byId("arc-outcome").textContent =
      `Answered in ${milliseconds(compute)}, ${milliseconds(queue)} in the queue, by ${result.model}.`;
    const best = result.results[0].attempts[0];
    const share = best ? `${Math.round(100 * best.share)} percent` : "none";
    announce(`The vote is over: ${share} of the views are for the first answer. No rule can verify it.`);
  }

  /** @param {unknown} error */
  #fail(error) {
    byId("votes").replaceChildren();
    const told = this.notice?.tellError(error, () => this.#solve());
    const unknown = /** @type {any} */ (error).code === "unknown_task";
    if (told && unknown) {
      this.notice?.tell("Nobody here knows this task", "It can be handed in to be learnt, below.");
      /** @type {HTMLDetailsElement} */ (byId("learning")).open = true;
    }
  }

  /** @param {boolean} going */
  #solving(going) {
    byId("arc-solve").hidden = going;
    byId("arc-stop").hidden = !going;
    if (going) byId("arc-outcome").textContent = "";
  }
}
