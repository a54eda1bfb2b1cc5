/** Views of ARC questions at work, each with its answer so far, and the vote that ends it. */

import { picture } from "./arc_picture.js";
import { sameGrid } from "./arc_task.js";
import { make } from "./dom.js";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** @typedef {import("./arc_task.js").Grid} Grid */
/** @typedef {{grid: Grid | null, step: number, halt: number | null}} View */

/**
 * Which answers there are now, the one of most views first.
 * @param {(View | undefined)[]} views
 * @returns {{grid: Grid, views: number[]}[]}
 */
export function parties(views) {
  /** @type {Map<string, {grid: Grid, views: number[]}>} */
  const found = new Map();
  views.forEach((view, index) => {
    if (!view?.grid) return;
    const key = JSON.stringify(view.grid);
    if (!found.has(key)) found.set(key, { grid: view.grid, views: [] });
    found.get(key)?.views.push(index);
  });
  return [...found.values()].sort((a, b) => b.views.length - a.views.length);
}

export class Votes {
  /**
   * @param {HTMLElement} root
   * @param {import("./arc_task.js").Question[]} questions
   * @param {() => boolean} numbers whether colours are shown with their numbers
   */
  constructor(root, questions, numbers) {
    this.root = root;
    this.questions = questions;
    this.numbers = numbers;
    /** @type {any} */
    this.result = null;
    /** @type {(View | undefined)[][]} */
    this.views = questions.map(() => []);
    this.request = 0;
  }

  /** @param {any} start */
  begin(start) {
    this.views = this.questions.map(() => new Array(start.views).fill(undefined));
    this.wake();
  }

  /** @param {any} event */
  step(event) {
    this.views[event.question][event.view] = {
      grid: event.grid,
      step: event.attempt_step,
      halt: event.halt_probability,
    };
    this.wake();
  }

  /** @param {any} result */
  end(result) {
    this.result = result;
    this.wake();
  }

  /** Draw at the next frame of the screen, however many steps come before it. */
  wake() {
    this.request ||= requestAnimationFrame(() => {
      this.request = 0;
      this.render();
    });
  }

  render() {
    this.root.replaceChildren(...this.questions.map((_, i) => this.#question(i)));
  }

  /** @param {number} index */
  #question(index) {
    const title = this.questions.length > 1 ? `Question ${index + 1}` : "The question";
    const views = this.views[index];
    const groups = parties(views);
    const answers = this.result
      ? this.result.results[index].attempts.map((/** @type {any} */ one, /** @type {number} */ i) =>
          this.#answer(index, i, one),
        )
      : [];
    return make(
      "section",
      { class: "vote", "aria-label": title },
      make("h3", {}, title),
      make("div", { class: "answers" }, ...answers),
      make("p", { class: "soft" }, this.#summary(views, groups)),
      make("ol", { class: "views" }, ...views.map((view, i) => this.#view(view, i, groups))),
    );
  }

  /**
   * @param {(View | undefined)[]} views
   * @param {{views: number[]}[]} groups
   */
  #summary(views, groups) {
    const told = `${views.length} views of the question`;
    if (!groups.length)
      return views.length ? `${told}; none has an answer yet.` : "Waiting for a slot.";
    const kinds = groups.length === 1 ? "one answer" : `${groups.length} answers`;
    const most = groups[0].views.length;
    const agree = most > 1 ? `${most} of ${views.length} agree on A` : "no two agree";
    return `${told}, ${kinds} so far; ${agree}.`;
  }

  /**
   * @param {View | undefined} view
   * @param {number} index
   * @param {{views: number[]}[]} groups
   */
  #view(view, index, groups) {
    const party = groups.findIndex((group) => group.views.includes(index));
    const letter = party < 0 ? "–" : (LETTERS[party] ?? "…");
    const shown = view?.grid
      ? picture(view.grid, { label: `view ${index + 1}`, numbers: this.numbers(), size: "small" })
      : make("div", { class: "picture small none" });
    const halt = view?.halt == null ? "" : ` · halt ${view.halt.toFixed(2)}`;
    const caption = view ? `step ${view.step}${halt}` : "waits";
    const badge = make("b", { class: "party", "data-party": Math.min(party, 3) }, letter);
    return make("li", {}, shown, make("small", {}, badge, caption));
  }

  /**
   * @param {number} question
   * @param {number} index
   * @param {any} attempt
   */
  #answer(question, index, attempt) {
    const title = index === 0 ? "First answer" : "Second answer";
    const share = make(
      "div",
      { class: "bar", role: "meter", "aria-valuemin": 0, "aria-valuemax": 1 },
      make("span"),
    );
    share.setAttribute("aria-label", "share of the votes");
    share.setAttribute("aria-valuenow", String(attempt.share));
    share.style.setProperty("--share", String(attempt.share));
    const { views } = this.result.results[question];
    const votes = `${attempt.votes} of ${views} views, ${Math.round(100 * attempt.share)} %`;
    const shown = attempt.answer.length
      ? picture(attempt.answer, { label: title, numbers: this.numbers() })
      : make("p", {}, "No answer.");
    return make(
      "figure",
      { class: "answer" },
      shown,
      make(
        "figcaption",
        {},
        make("strong", {}, title),
        share,
        votes,
        make("small", {}, `halt probability ${attempt.halt_probability.toFixed(3)}`),
        ...this.#compared(question, attempt.answer),
      ),
    );
  }

  /**
   * Beside the answer that a pasted task tells, which no server has seen.
   * @param {number} question
   * @param {Grid} answer
   */
  #compared(question, answer) {
    const { output } = this.questions[question];
    if (!output) return [];
    const same = sameGrid(output, answer);
    const text = same ? "As in the task's file ✓" : "Not as in the task's file";
    return [make("span", { class: same ? "right" : "wrong" }, text)];
  }
}
