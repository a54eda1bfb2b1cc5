/** The Sudoku on the page: an ARIA grid that is typed into, and that shows a network's answer. */

import { make } from "./dom.js";
import { symbolOf, valueOf } from "./sudoku_rules.js";

/**
 * What the board shows; all cells by their flat index.
 * @typedef {object} Frame
 * @property {ArrayLike<number>} cells symbols, 0 for none
 * @property {ArrayLike<number>} givens the puzzle's own, 0 for none
 * @property {Map<number, number>} assumed
 * @property {Set<number>} changed
 * @property {Set<number>} clashing
 * @property {Map<number, string>} blamed what the server said of a cell
 * @property {ArrayLike<number> | null} confidence 0..1
 */

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const FAST_MS = 70; // between two frames: changes of colour do not fade then
const ERASERS = new Set(["Backspace", "Delete", " "]);

/** @returns {Frame} */
export function emptyFrame(/** @type {ArrayLike<number>} */ cells) {
  return {
    cells,
    givens: cells,
    assumed: new Map(),
    changed: new Set(),
    clashing: new Set(),
    blamed: new Map(),
    confidence: null,
  };
}

export class Board {
  /**
   * @param {HTMLElement} root
   * @param {{onSymbol: (index: number, value: number) => void, onEnter: () => void,
   *   onSelect: () => void}} handlers
   */
  constructor(root, handlers) {
    this.root = root;
    this.handlers = handlers;
    this.selected = 0;
    /** @type {HTMLElement[]} */
    this.cells = [];
    /** @type {Frame} */
    this.frame = emptyFrame([]);
    root.addEventListener("keydown", (event) => this.#onKey(event));
    root.addEventListener("focusin", (event) => this.#onFocus(event));
    root.addEventListener("pointerover", (event) => this.#hover(this.#indexOf(event.target)));
    root.addEventListener("pointerleave", () => this.#hover(-1));
    this.hovered = -1;
    this.rendered = 0;
    this.moving = false;
  }

  /** @param {import("./sudoku_rules.js").Layout} layout */
  setLayout(layout) {
    if (this.layout?.size === layout.size) return;
    this.layout = layout;
    this.selected = 0;
    const { size } = layout;
    this.root.replaceChildren();
    this.root.dataset.size = String(size);
    this.root.style.setProperty("--size", String(size));
    this.root.setAttribute("aria-label", `Sudoku, ${size} by ${size}`);
    this.cells = [];
    for (let row = 0; row < size; row += 1) {
      const cells = Array.from({ length: size }, (_, column) => this.#cell(row, column));
      this.root.append(make("div", { role: "row" }, ...cells));
      this.cells.push(...cells);
    }
    this.cells[0].tabIndex = 0;
    this.frame = emptyFrame(new Uint8Array(size * size));
  }

  /**
   * Show a frame; only what differs from the one before is touched.
   * @param {Frame} frame
   * @param {boolean} moving whether another follows at once: names for who listens can wait
   */
  render(frame, moving = false) {
    if (frame === this.frame && moving === this.moving) return;
    this.frame = frame;
    this.moving = moving;
    this.root.toggleAttribute("data-fast", moving && performance.now() - this.rendered < FAST_MS);
    this.rendered = performance.now();
    this.cells.forEach((cell, index) => {
      const value = frame.cells[index];
      const symbol = symbolOf(value);
      const shown = /** @type {HTMLElement} */ (cell.firstChild);
      if (shown.textContent !== symbol) shown.textContent = symbol;
      const state = this.#stateOf(index);
      if (cell.className !== state) cell.className = state;
      const sure = frame.confidence && !frame.givens[index] ? frame.confidence[index] : 0;
      /** @type {HTMLElement} */ (cell.lastChild).style.transform = `scaleX(${sure.toFixed(3)})`;
      if (!moving || index === this.selected) this.#name(index);
    });
    this.handlers.onSelect();
  }

  /** @param {number} index */
  focus(index) {
    this.cells[index]?.focus();
  }

  /** The cell that is looked at: under the pointer, or else the selected one. */
  get inspected() {
    return this.hovered >= 0 ? this.hovered : this.selected;
  }

  /**
   * A cell in words.
   * @param {number} index
   */
  describe(index) {
    const { cells, givens, assumed, confidence, clashing, blamed } = this.frame;
    const value = symbolOf(cells[index]);
    const parts = [value || "empty"];
    if (givens[index]) parts.push("given");
    else if (assumed.has(index)) parts.push("assumed guess");
    else if (value && confidence) parts.push("answer");
    if (confidence && !givens[index]) parts.push(`confidence ${confidence[index].toFixed(4)}`);
    if (clashing.has(index)) parts.push("breaks the rules");
    if (blamed.has(index)) parts.push(String(blamed.get(index)));
    return parts.join(", ");
  }

  /** @param {number} index */
  place(index) {
    const { size } = /** @type {import("./sudoku_rules.js").Layout} */ (this.layout);
    return `row ${Math.floor(index / size) + 1}, column ${(index % size) + 1}`;
  }

  /**
   * @param {number} row
   * @param {number} column
   */
  #cell(row, column) {
    const { size, boxHeight, boxWidth } = /** @type {any} */ (this.layout);
    const cell = make(
      "div",
      { role: "gridcell", tabindex: -1, class: "cell" },
      make("span"),
      make("i"),
    );
    if ((column + 1) % boxWidth === 0 && column + 1 < size) cell.dataset.right = "";
    if ((row + 1) % boxHeight === 0 && row + 1 < size) cell.dataset.bottom = "";
    cell.dataset.index = String(row * size + column);
    return cell;
  }

  /** @param {number} index */
  #stateOf(index) {
    const { givens, assumed, changed, clashing, blamed } = this.frame;
    let state = "cell";
    if (givens[index]) state += " given";
    else if (assumed.has(index)) state += " assumed";
    if (changed.has(index)) state += " changed";
    if (clashing.has(index)) state += " clashing";
    if (blamed.has(index)) state += " blamed";
    return state;
  }

  /** @param {number} index */
  #name(index) {
    const name = `${this.place(index)}: ${this.describe(index)}`;
    const cell = this.cells[index];
    if (cell.getAttribute("aria-label") !== name) cell.setAttribute("aria-label", name);
    const wrong = this.frame.clashing.has(index) || this.frame.blamed.has(index);
    cell.toggleAttribute("data-wrong", wrong);
    if (wrong) cell.setAttribute("aria-invalid", "true");
    else cell.removeAttribute("aria-invalid");
  }

  /** @param {EventTarget | null} target */
  #indexOf(target) {
    const cell = target instanceof Element ? target.closest("[role=gridcell]") : null;
    return cell instanceof HTMLElement ? Number(cell.dataset.index) : -1;
  }

  /** @param {number} index */
  #hover(index) {
    this.hovered = index;
    this.handlers.onSelect();
  }

  /** @param {FocusEvent} event */
  #onFocus(event) {
    const index = this.#indexOf(event.target);
    if (index < 0) return;
    this.cells[this.selected].tabIndex = -1;
    this.selected = index;
    this.cells[index].tabIndex = 0;
    this.#name(index);
    this.handlers.onSelect();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key === "Enter") {
      event.preventDefault();
      event.stopPropagation(); // the page solves on Ctrl+Enter too: not twice
      this.handlers.onEnter();
      return;
    }
    if (event.ctrlKey && (event.key === "Home" || event.key === "End")) {
      this.focus(event.key === "Home" ? 0 : this.cells.length - 1);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.#moves(event.key)) {
      event.preventDefault();
      return;
    }
    const size = this.layout?.size ?? 0;
    const value = ERASERS.has(event.key)
      ? 0
      : event.key.length === 1
        ? valueOf(event.key, size)
        : null;
    if (value === null) return;
    event.preventDefault();
    this.handlers.onSymbol(this.selected, value);
  }

  /** @param {string} key */
  #moves(key) {
    const size = this.layout?.size ?? 0;
    const [row, column] = [Math.floor(this.selected / size), this.selected % size];
    if (key in ARROWS) {
      const [down, right] = ARROWS[/** @type {keyof typeof ARROWS} */ (key)];
      const wrap = (/** @type {number} */ line) => (line + size) % size;
      this.focus(wrap(row + down) * size + wrap(column + right));
    } else if (key === "Home" || key === "End") {
      this.focus(row * size + (key === "Home" ? 0 : size - 1));
    } else {
      return false;
    }
    return true;
  }
}
