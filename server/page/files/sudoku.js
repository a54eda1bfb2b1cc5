/** The Sudoku tab: a puzzle is put together, solved before one's eyes, and looked at again. */

import { Board, emptyFrame } from "./board.js";
import { button, byId, copies, prefersStillness, segments } from "./dom.js";
import { EXAMPLES, firstPuzzle } from "./examples.js";
import { Notice } from "./notice.js";
import { Player } from "./player.js";
import { renderReadout } from "./readout.js";
import { Run } from "./run.js";
import { curl, introduction, servedSizes } from "./served.js";
import * as rules from "./sudoku_rules.js";
import { Timeline } from "./timeline.js";

const EFFORTS = ["low", "standard", "max"];

export class SudokuTab {
  /**
   * @param {import("./served.js").Model[]} models as the server lists them
   * @param {Record<string, string>} defaults
   */
  constructor(models, defaults) {
    this.served = servedSizes(models, defaults);
    this.layout = rules.layoutOfSize(this.served.has(9) ? 9 : ([...this.served.keys()][0] ?? 9));
    this.question = firstPuzzle(this.layout.size);
    this.effort = "standard";
    /** @type {Run | null} */
    this.run = null;
    /** @type {Player | null} */
    this.player = null;
    /** @type {Map<number, string>} */
    this.blamed = new Map();
    this.speed = /** @type {import("./player.js").Speed} */ (prefersStillness() ? "live" : "auto");
    this.model = /** @type {HTMLSelectElement} */ (byId("model"));
    this.notice = new Notice(byId("sudoku-notice"));
    this.board = new Board(byId("board"), {
      onSymbol: (index, value) => this.#type(index, value),
      onEnter: () => this.solve(),
      onSelect: () => this.#inspect(),
    });
    this.timeline = new Timeline({ onSpeed: (speed) => this.#setSpeed(speed) });
    /** @type {HTMLSelectElement} */ (byId("speed")).value = String(this.speed);
    this.#wire();
    byId("intro").textContent = introduction(models);
    this.load(this.layout, this.question);
    this.#showChoices();
  }

  /**
   * A new puzzle on the board.
   * @param {rules.Layout} layout
   * @param {Uint8Array} cells
   */
  load(layout, cells) {
    this.#forget();
    this.notice.clear();
    const resized = this.layout?.size !== layout.size;
    this.layout = layout;
    this.question = cells;
    this.board.setLayout(layout);
    if (resized) this.#showChoices();
    this.#render();
  }

  async solve() {
    if (this.run?.live) return;
    this.#forget();
    this.notice.clear();
    const { layout, question } = this;
    const run = new Run(layout, question.slice(), () => this.#onNews(run));
    this.run = run;
    this.player = new Player(run.recording, this.speed, () => this.#render());
    this.timeline.attach(this.player, question.length);
    this.#render();
    try {
      await run.follow(this.body);
    } catch (error) {
      if (this.run === run) this.#fail(error);
    }
  }

  stop() {
    this.run?.stop();
  }

  /** The request that solves this puzzle. */
  get body() {
    const { value } = this.model;
    const model = value && value !== this.choices[0]?.name ? { model: value } : {};
    return { kind: "sudoku", grid: rules.toLine(this.question), effort: this.effort, ...model };
  }

  /** The models that serve this size, the default first. */
  get choices() {
    return this.served.get(this.layout.size) ?? [];
  }

  /**
   * Take a pasted text for the puzzle.
   * @param {string} text
   * @returns {boolean} whether it was one
   */
  paste(text) {
    try {
      const { layout, cells } = rules.parsePuzzle(text);
      this.load(layout, cells);
      if (!this.served.has(layout.size)) this.#tellNotServed(layout.size);
      return true;
    } catch (error) {
      if (!(error instanceof rules.PasteError)) throw error;
      this.notice.tell("That is no puzzle that this page can read", error.message);
      return false;
    }
  }

  #wire() {
    byId("solve").addEventListener("click", () => this.solve());
    byId("stop").addEventListener("click", () => this.stop());
    byId("edit").addEventListener("click", () => this.#edit());
    this.model.addEventListener("change", () => this.#showEffort());
    byId("clear").addEventListener("click", () =>
      this.load(this.layout, new Uint8Array(this.question.length)),
    );
    byId("skip").addEventListener("click", () => this.player?.toEnd());
    copies(byId("copy-solution"), () => rules.toLine(this.run?.result.solution.flat() ?? []));
    copies(byId("copy-curl"), () => curl(this.body));
    const efforts = EFFORTS.map((value) => ({ value, label: value }));
    segments(byId("effort"), "effort", efforts, this.effort, (value) => {
      this.effort = value;
      this.#showEffort();
    });
    const field = /** @type {HTMLTextAreaElement} */ (byId("paste-text"));
    const details = /** @type {HTMLDetailsElement} */ (byId("paste"));
    byId("paste-use").addEventListener("click", () => {
      if (!this.paste(field.value)) return;
      field.value = "";
      details.open = false;
      this.board.focus(0);
    });
    document.addEventListener("paste", (event) => this.#onPaste(event));
    document.addEventListener("keydown", (event) => this.#onShortcut(event));
  }

  /** @param {ClipboardEvent} event */
  #onPaste(event) {
    const target = /** @type {Element} */ (event.target);
    if (byId("sudoku").hidden || target.closest("input, textarea, dialog")) return;
    event.preventDefault();
    this.paste(event.clipboardData?.getData("text/plain") ?? "");
  }

  /** @param {KeyboardEvent} event */
  #onShortcut(event) {
    if (byId("sudoku").hidden || document.querySelector("dialog[open]")) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.solve();
    if (event.key === "Escape" && this.run?.live) this.stop();
  }

  /** What depends on the size: examples, symbols, which size is chosen. */
  #showChoices() {
    const { size } = this.layout;
    const sizes = [...this.served.keys()].map((one) => ({
      value: String(one),
      label: `${one}×${one}`,
      name: `${one} by ${one}`,
    }));
    segments(byId("sizes"), "size", sizes, String(size), (value) => this.#resize(Number(value)));
    const examples = (EXAMPLES[size] ?? []).map(({ name, grid }) =>
      button(name, () => this.load(this.layout, rules.parsePuzzle(grid).cells), { class: "chip" }),
    );
    byId("examples").replaceChildren(...examples);
    const symbols = Array.from({ length: size }, (_, i) =>
      button(rules.symbolOf(i + 1), () => this.#press(i + 1)),
    );
    const erase = button("⌫", () => this.#press(0), { "aria-label": "Clear the cell" });
    byId("pad").replaceChildren(...symbols, erase);
    this.model.replaceChildren(...this.choices.map(({ name }) => new Option(name)));
    byId("model-field").hidden = this.choices.length < 2;
    this.#showEffort();
  }

  #showEffort() {
    const spent = this.choices.find(({ name }) => name === this.model.value)?.efforts[this.effort];
    byId("effort-text").textContent = spent
      ? `up to ${spent.attempts.toLocaleString("en")} attempts of ${spent.max_steps} steps`
      : "";
  }

  /** @param {number} size */
  #resize(size) {
    const layout = rules.layoutOfSize(size);
    this.load(layout, firstPuzzle(size));
  }

  /** @param {number} value */
  #press(value) {
    const { selected } = this.board;
    this.#type(selected, value);
    this.board.focus(selected);
  }

  /**
   * @param {number} index
   * @param {number} value
   */
  #type(index, value) {
    if (this.run) this.#forget();
    this.notice.clear();
    this.question = this.question.slice();
    this.question[index] = value;
    this.#render();
  }

  #edit() {
    this.#forget();
    this.#render();
    this.board.focus(this.board.selected);
  }

  /** Leave the run, and with it its slot on the server. */
  #forget() {
    this.run?.stop();
    this.player?.close();
    this.run = this.player = null;
    this.blamed = new Map();
    this.timeline.attach(null, 0);
  }

  /** @param {Run} run */
  #onNews(run) {
    if (this.run !== run || !this.player) return;
    this.player.complete = !run.live;
    this.player.wake();
  }

  /** @param {import("./player.js").Speed} speed */
  #setSpeed(speed) {
    this.speed = speed;
    if (!this.player) return;
    this.player.speed = speed;
    this.player.wake();
  }

  /** @param {unknown} error */
  #fail(error) {
    const told = this.notice.tellError(error, () => this.solve());
    if (!this.run?.recording.length) this.#forget();
    const { size } = this.layout;
    this.blamed = new Map(
      told.cells.map(({ row, column, detail }) => [(row - 1) * size + column - 1, detail]),
    );
    this.#render();
  }

  /** @param {number} size */
  #tellNotServed(size) {
    this.notice.tell(
      `No ${size}×${size} puzzles are served`,
      "No loaded bundle knows this size. GET /v1/models lists what is there.",
    );
  }

  #render() {
    const { run, player } = this;
    const index = player?.index ?? -1;
    const frame = run && index >= 0 ? run.frame(index) : emptyFrame(this.question);
    if (index < 0) {
      frame.clashing = rules.clashes(this.layout, this.question);
      frame.blamed = this.blamed;
    }
    this.board.render(frame, player?.playing ?? false);
    this.timeline.render();
    renderReadout(run, index);
    const live = run?.live ?? false;
    byId("solve").hidden = live;
    byId("stop").hidden = !live;
    byId("edit").hidden = run === null;
    byId("pad").hidden = byId("intro").hidden = run !== null;
    byId("legend").hidden = run === null;
    byId("skip").hidden = !(run?.result && player && !player.atEnd);
    byId("stage").dataset.outcome = run?.result && player?.atEnd ? run.result.status : "";
  }

  #inspect() {
    const { board } = this;
    const index = board.inspected;
    byId("inspect-place").textContent = board.place(index);
    byId("inspect-cell").textContent = board.describe(index);
  }
}
