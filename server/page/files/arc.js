/** The ARC tab: a task is picked, pasted or drawn, and its questions are put to the network. */

import { getJson, solveEvents } from "./api.js";
import { TaskView } from "./arc_pairs.js";
import { blankGrid, parseTask, TaskError } from "./arc_task.js";
import { Votes } from "./arc_votes.js";
import { announce, byId, make } from "./dom.js";
import { Learning } from "./learning.js";
import { Notice } from "./notice.js";
import { milliseconds } from "./readout.js";

const FIRST_CHOICE = "3618c87e"; // of the known tasks, where it is one: it is answered well

/** @returns {import("./arc_task.js").Task} */
function newTask() {
  const pair = () => ({ input: blankGrid(), output: blankGrid() });
  return { train: [pair(), pair()], test: [{ input: blankGrid(), output: null }] };
}

/**
 * Of the questions, which may be larger than the demonstrations.
 * @param {{input: number[][]}[]} questions
 */
function longestSide(questions) {
  return Math.max(...questions.flatMap(({ input }) => [input.length, input[0].length]));
}

/**
 * The tab, or what it takes to have one.
 * @param {{puzzles: string[]}[]} models as the server lists them
 */
export function startArc(models) {
  const served = models.some(({ puzzles }) => puzzles.some((name) => name.startsWith("arc-")));
  byId("arc-absent").hidden = served;
  byId("arc-bench").hidden = !served;
  if (served) new ArcTab();
}

class ArcTab {
  constructor() {
    this.notice = new Notice(byId("arc-notice"));
    this.task = newTask();
    /** @type {string | null} id of the known task whose demonstrations are shown */
    this.known = null;
    this.view = new TaskView(() => this.#changed());
    /** @type {AbortController | null} */
    this.controller = null;
    /** @type {Votes | null} */
    this.votes = null;
    this.learning = new Learning(
      () => ({ train: this.task.train, side: longestSide(this.task.test) }),
      (id) => this.#learnt(id),
    );
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
      this.view.refresh();
      this.#changed();
    });
    byId("add-question").addEventListener("click", () => {
      this.task.test.push({ input: blankGrid(), output: null });
      this.view.refresh();
    });
    const known = field("known-task");
    known.addEventListener("change", () => known.value.trim() && this.#pick(known.value.trim()));
    const numbers = field("arc-numbers");
    numbers.addEventListener("change", () => {
      this.view.numbers = numbers.checked;
      this.view.refresh();
      this.votes?.render();
    });
    const text = field("task-text");
    byId("task-use").addEventListener("click", () => {
      if (!this.#paste(text.value)) return;
      text.value = "";
      /** @type {HTMLDetailsElement} */ (byId("task-paste")).open = false;
    });
  }

  /** @param {boolean} first whether one is picked to begin with */
  async #listTasks(first) {
    try {
      const { tasks, adapted } = await getJson("v1/tasks");
      byId("known-tasks").replaceChildren(
        ...tasks.map((/** @type {string} */ value) => make("option", { value })),
      );
      byId("known-count").textContent = `${tasks.length.toLocaleString("en")} are known`;
      if (!first) return;
      this.learning.show(adapted);
      if (tasks.length) await this.#pick(tasks.includes(FIRST_CHOICE) ? FIRST_CHOICE : tasks[0]);
    } catch (error) {
      this.notice.tellError(error, () => this.#listTasks(first));
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
      this.notice.tellError(error);
    }
  }

  /** @param {string} text */
  #paste(text) {
    try {
      this.#load(parseTask(text), null);
      return true;
    } catch (error) {
      if (!(error instanceof TaskError)) throw error;
      this.notice.tell("That is no task that this page can read", error.message);
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
    this.notice.clear();
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
    this.#showKnown();
  }

  #render() {
    this.view.show(this.task);
    this.#showKnown();
  }

  /** Which known task it is, if it is one. */
  #showKnown() {
    field("known-task").value = this.known ?? "";
    byId("known-note").hidden = this.known === null;
  }

  async #solve() {
    this.notice.clear();
    const { train, test } = this.task;
    const told = this.known ? { task: this.known } : { train };
    const body = { kind: "arc", ...told, test: test.map(({ input }) => input) };
    const controller = new AbortController();
    this.controller = controller;
    const votes = new Votes(byId("votes"), structuredClone(test), () => this.view.numbers);
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
    const spent = `${milliseconds(compute)}, ${milliseconds(queue)} in the queue`;
    byId("arc-outcome").textContent = `Answered in ${spent}, by ${result.model}.`;
    const best = result.results[0].attempts[0];
    const share = best ? `${Math.round(100 * best.share)} percent` : "none";
    announce(
      `The vote is over: ${share} of the views are for the first answer. No rule can verify it.`,
    );
  }

  /** @param {unknown} error */
  #fail(error) {
    byId("votes").replaceChildren();
    const told = this.notice.tellError(error, () => this.#solve());
    const unknown = /** @type {any} */ (error).code === "unknown_task";
    if (told && unknown) {
      this.notice.tell("Nobody here knows this task", "It can be handed in to be learnt, below.");
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

/**
 * @param {string} id
 * @returns {HTMLInputElement}
 */
function field(id) {
  return byId(id);
}
