/** ARC grids as pictures, and the ten colours. */

import { make } from "./dom.js";
import { sizeInWords } from "./arc_task.js";

/** The colours of the published tasks, by their number; ink is what is written on them. */
export const COLOURS = [
  { name: "black", fill: "#000000", ink: "#ffffff" },
  { name: "blue", fill: "#0074d9", ink: "#ffffff" },
  { name: "red", fill: "#ff4136", ink: "#000000" },
  { name: "green", fill: "#2ecc40", ink: "#000000" },
  { name: "yellow", fill: "#ffdc00", ink: "#000000" },
  { name: "grey", fill: "#aaaaaa", ink: "#000000" },
  { name: "magenta", fill: "#f012be", ink: "#000000" },
  { name: "orange", fill: "#ff851b", ink: "#000000" },
  { name: "sky", fill: "#7fdbff", ink: "#000000" },
  { name: "maroon", fill: "#870c25", ink: "#ffffff" },
];

const PIXELS = { "": 304, small: 160 }; // of the longer side, twice what the page shows
const GAP_COLOUR = "#555555";

/**
 * A picture of a grid.
 * @param {import("./arc_task.js").Grid} grid
 * @param {{label: string, numbers?: boolean, size?: keyof typeof PIXELS}} options
 * @returns {HTMLCanvasElement}
 */
export function picture(grid, { label, numbers = false, size = "" }) {
  const canvas = /** @type {HTMLCanvasElement} */ (
    make("canvas", { class: `picture ${size}`, role: "img" })
  );
  drawGrid(canvas, grid, numbers, PIXELS[size]);
  canvas.setAttribute("aria-label", `${label}, ${inWords(grid)}`);
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("./arc_task.js").Grid} grid
 * @param {boolean} numbers
 * @param {number} pixels of the longer side
 */
function drawGrid(canvas, grid, numbers, pixels) {
  const [height, width] = [grid.length, grid[0].length];
  const side = Math.max(4, Math.floor(pixels / Math.max(height, width)));
  const line = side > 12 ? 2 : 1;
  canvas.width = side * width + line;
  canvas.height = side * height + line;
  canvas.style.setProperty("--cells", String(Math.max(height, width)));
  canvas.dataset.upright = String(height > width);
  const brush = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  brush.fillStyle = GAP_COLOUR;
  brush.fillRect(0, 0, canvas.width, canvas.height);
  brush.textAlign = "center";
  brush.textBaseline = "middle";
  brush.font = `${Math.floor(side * 0.55)}px system-ui, sans-serif`;
  grid.forEach((row, r) =>
    row.forEach((colour, c) => {
      brush.fillStyle = COLOURS[colour].fill;
      brush.fillRect(c * side + line, r * side + line, side - line, side - line);
      if (!numbers) return;
      brush.fillStyle = COLOURS[colour].ink;
      brush.fillText(String(colour), (c + 0.5) * side + line / 2, (r + 0.54) * side + line / 2);
    }),
  );
}

/** @param {import("./arc_task.js").Grid} grid */
function inWords(grid) {
  return `${sizeInWords(grid)}: ${grid.map((row) => row.join("")).join(" ")}`;
}
