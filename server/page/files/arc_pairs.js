/** The demonstrations and questions of a task on the page: pictures that turn into editors. */

import { GridEditor } from "./arc_editor.js";
import { picture } from "./arc_picture.js";
import { sizeInWords } from "./arc_task.js";
import { button, byId, make } from "./dom.js";

export class TaskView {
  /** @param {() => void} onDemonstrations they are not those of a known task any more */
  constructor(onDemonstrations) {
    this.onDemonstrations = onDemonstrations;
    this.numbers = false;
  }

  /** @param {import("./arc_task.js").Task} task changed in place by who draws */
  show(task) {
    this.task = task;
    const { train, test } = task;
    byId("pairs").replaceChildren(...train.map((pair, i) => this.#pair(train, pair, i)));
    byId("questions").replaceChildren(...test.map((one, i) => this.#question(test, one, i)));
  }

  /** Show it again: something of it, or how it is shown, has changed. */
  refresh() {
    if (this.task) this.show(this.task);
  }

  /**
   * @param {import("./arc_task.js").Pair[]} train
   * @param {import("./arc_task.js").Pair} pair
   * @param {number} index
   */
  #pair(train, pair, index) {
    const name = `demonstration ${index + 1}`;
    const side = (/** @type {"input" | "output"} */ which) =>
      this.#editable(pair[which], `${name}, ${which}`, (grid) => {
        pair[which] = grid;
        this.onDemonstrations();
      });
    const arrow = make("span", { class: "arrow", "aria-hidden": "true" }, "→");
    const remove = this.#remove(train, index, name, this.onDemonstrations);
    return make(
      "li",
      {},
      make("div", { class: "pair" }, side("input"), arrow, side("output")),
      remove,
    );
  }

  /**
   * @param {import("./arc_task.js").Question[]} test
   * @param {import("./arc_task.js").Question} question
   * @param {number} index
   */
  #question(test, question, index) {
    const name = `question ${index + 1}`;
    const grid = this.#editable(question.input, name, (changed) => {
      question.input = changed;
      question.output = null; // it was the answer to another question
    });
    return make("li", {}, make("div", { class: "pair" }, grid), this.#remove(test, index, name));
  }

  /**
   * @param {object[]} list
   * @param {number} index
   * @param {string} name
   * @param {() => void} [then]
   */
  #remove(list, index, name, then) {
    const remove = () => {
      list.splice(index, 1);
      this.refresh();
      then?.();
    };
    const made = button("Remove", remove, { class: "quiet", "aria-label": `Remove ${name}` });
    made.hidden = list.length === 1;
    return made;
  }

  /**
   * @param {import("./arc_task.js").Grid} grid
   * @param {string} label
   * @param {(grid: import("./arc_task.js").Grid) => void} onChange
   */
  #editable(grid, label, onChange) {
    const open = () => {
      const editor = new GridEditor(grid, label, {
        numbers: this.numbers,
        onChange,
        onDone: () => {
          this.refresh();
          this.#focusOn(label);
        },
      });
      made.replaceWith(editor.root);
      editor.focus();
    };
    const made = button("", open, {
      class: "editable",
      "aria-label": `Edit ${label}, ${sizeInWords(grid)}`,
      "data-label": label,
    });
    made.append(picture(grid, { label, numbers: this.numbers }));
    return made;
  }

  /** @param {string} label */
  #focusOn(label) {
    const found = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".editable")]);
    found.find((one) => one.dataset.label === label)?.focus();
  }
}
