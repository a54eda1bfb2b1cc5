/** One ARC grid, drawn by hand: a grid of cells, ten colours, a size. */

import { COLOURS } from "./arc_picture.js";
import { LONGEST_SIDE, resized } from "./arc_task.js";
import { button, make, segments } from "./dom.js";

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export class GridEditor {
  /**
   * @param {import("./arc_task.js").Grid} grid
   * @param {string} label
   * @param {{onDone: () => void, onChange: (grid: import("./arc_task.js").Grid) => void,
   *   numbers: boolean}} options
   */
  constructor(grid, label, { onDone, onChange, numbers }) {
    this.grid = grid.map((row) => [...row]);
    this.label = label;
    this.onChange = onChange;
    this.colour = 1;
    /** @type {[number, number]} row and column */
    this.selected = [0, 0];
    this.cells = make("div", { class: "paper", role: "grid", "aria-label": label });
    this.cells.dataset.numbers = String(numbers);
    this.palette = make("fieldset", { class: "palette" }, make("legend", {}, "Colour"));
    this.root = make(
      "div",
      { class: "grid-editor", role: "group", "aria-label": `Edit ${label}` },
      this.cells,
      this.palette,
      make(
        "div",
        { class: "actions" },
        this.#side("rows"),
        this.#side("columns"),
        button("Done", onDone, { class: "quiet" }),
      ),
    );
    this.cells.addEventListener("keydown", (event) => this.#onKey(event));
    this.cells.addEventListener("pointerdown", (event) => this.#paint(event));
    this.cells.addEventListener(
      "pointerover",
      (event) => event.buttons === 1 && this.#paint(event),
    );
    this.#showPalette();
    this.#layOut();
  }

  focus() {
    const [row, column] = this.selected;
    this.#at(row, column)?.focus();
  }

  #showPalette() {
    const choices = COLOURS.map(({ name }, i) => ({
      value: String(i),
      label: String(i),
      name: `${i} ${name}`,
    }));
    segments(this.palette, `colour-${this.label}`, choices, String(this.colour), (value) => {
      this.colour = Number(value);
    });
    this.palette.querySelectorAll("span").forEach((span, i) => (span.dataset.colour = String(i)));
  }

  /** @param {"rows" | "columns"} name */
  #side(name) {
    const now = name === "rows" ? this.grid.length : this.grid[0].length;
    const field = /** @type {HTMLInputElement} */ (
      make("input", { type: "number", min: 1, max: LONGEST_SIDE, value: now })
    );
    field.addEventListener("change", () => {
      const side = Math.min(LONGEST_SIDE, Math.max(1, Math.round(field.valueAsNumber || 1)));
      field.value = String(side);
      const [height, width] = [this.grid.length, this.grid[0].length];
      this.grid =
        name === "rows" ? resized(this.grid, side, width) : resized(this.grid, height, side);
      this.selected = [0, 0];
      this.#layOut();
      this.onChange(this.grid);
    });
    return make("label", { class: "side-field" }, name, field);
  }

  #layOut() {
    const width = this.grid[0].length;
    this.cells.style.setProperty("--columns", String(width));
    this.cells.style.setProperty("--cells", String(Math.max(width, this.grid.length)));
    this.cells.replaceChildren(
      ...this.grid.map((row, r) =>
        make(
          "div",
          { role: "row" },
          ...row.map((_, c) =>
            make("div", { role: "gridcell", tabindex: -1, "data-row": r, "data-column": c }),
          ),
        ),
      ),
    );
    this.grid.forEach((row, r) => row.forEach((_, c) => this.#show(r, c)));
    const first = this.#at(0, 0);
    if (first) first.tabIndex = 0;
  }

  /**
   * @param {number} row
   * @param {number} column
   * @returns {HTMLElement | undefined}
   */
  #at(row, column) {
    return /** @type {HTMLElement | undefined} */ (this.cells.children[row]?.children[column]);
  }

  /**
   * @param {number} row
   * @param {number} column
   */
  #show(row, column) {
    const cell = this.#at(row, column);
    if (!cell) return;
    const colour = this.grid[row][column];
    cell.dataset.colour = String(colour);
    cell.textContent = String(colour);
    cell.setAttribute(
      "aria-label",
      `row ${row + 1}, column ${column + 1}: ${colour} ${COLOURS[colour].name}`,
    );
  }

  /**
   * @param {number} row
   * @param {number} column
   * @param {number} colour
   */
  #put(row, column, colour) {
    if (this.grid[row][column] === colour) return;
    this.grid[row][column] = colour;
    this.#show(row, column);
    this.onChange(this.grid);
  }

  /**
   * @param {number} row
   * @param {number} column
   */
  #select(row, column) {
    const [height, width] = [this.grid.length, this.grid[0].length];
    this.#at(...this.selected)?.setAttribute("tabindex", "-1");
    this.selected = [(row + height) % height, (column + width) % width];
    this.#at(...this.selected)?.setAttribute("tabindex", "0");
    this.focus();
  }

  /** @param {PointerEvent} event */
  #paint(event) {
    const cell = event.target;
    if (!(cell instanceof HTMLElement) || cell.dataset.row === undefined) return;
    if (cell.hasPointerCapture(event.pointerId)) cell.releasePointerCapture(event.pointerId);
    const [row, column] = [Number(cell.dataset.row), Number(cell.dataset.column)];
    this.#put(row, column, this.colour);
    this.#select(row, column);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [row, column] = this.selected;
    if (event.key in ARROWS) {
      const [down, right] = ARROWS[/** @type {keyof typeof ARROWS} */ (event.key)];
      this.#select(row + down, column + right);
    } else if (/^[0-9]$/.test(event.key)) {
      this.#put(row, column, Number(event.key));
    } else if (event.key === " " || event.key === "Enter") {
      this.#put(row, column, this.colour);
    } else if (event.key === "Backspace" || event.key === "Delete") {
      this.#put(row, column, 0);
    } else {
      return;
    }
    event.preventDefault();
  }
}
