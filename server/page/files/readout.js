/** The figures beside the board: of the step that is shown, and of the result. */

import { byId } from "./dom.js";

/**
 * @param {string} id
 * @param {string} text
 */
function put(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

const TITLES = {
  ready: "Ready",
  asking: "Waiting for a slot",
  thinking: "Thinking",
  ended: "", // a run that has ended has a result, whose status is told
  stopped: "Stopped",
  failed: "Not solved",
  solved: "Solved",
  unsolved: "Unsolved",
};
const VERDICTS = { solved: "accepted", wrong: "not accepted", unknown: "cannot be checked" };

/**
 * @param {import("./run.js").Run | null} run
 * @param {number} index of the step shown, -1 for none
 */
export function renderReadout(run, index) {
  const step = run?.recording.steps[index];
  byId("readout").dataset.empty = String(!step);
  if (run && step) {
    const budget = run.start ? ` of ${run.start.attempts}` : "";
    const depth = run.start ? ` of ${run.start.max_steps}` : "";
    put("read-step", String(step.step));
    put("read-attempt", `${step.attempt}${budget}`);
    put("read-attempt-step", `${step.attemptStep}${depth}`);
    put("read-halt", step.halt === null ? "–" : step.halt.toFixed(4));
    put("read-changed", cells(run.frame(index).changed.size));
    put("read-clashing", cells(step.clashing));
    put("read-assumed", step.assumed.size ? cells(step.assumed.size) : "none");
    put("read-verdict", VERDICTS[/** @type {keyof typeof VERDICTS} */ (step.verdict)]);
    byId("read-verdict").dataset.verdict = step.verdict;
  }
  renderOutcome(run);
}

/** @param {import("./run.js").Run | null} run */
function renderOutcome(run) {
  const outcome = byId("outcome");
  outcome.dataset.state = stateOf(run);
  put("outcome-title", TITLES[stateOf(run)]);
  put("outcome-detail", detail(run));
  const result = run?.result;
  byId("result").hidden = !result;
  byId("copy-solution").hidden = !result?.solution;
  if (!result) return;
  put("result-steps", result.steps.toLocaleString("en"));
  put("result-attempts", result.attempts.toLocaleString("en"));
  put("result-queue", milliseconds(result.timing.queue_ms));
  put("result-compute", milliseconds(result.timing.compute_ms));
  put("result-model", result.model);
}

/**
 * @param {import("./run.js").Run | null} run
 * @returns {keyof typeof TITLES}
 */
function stateOf(run) {
  if (!run) return "ready";
  return run.result ? run.result.status : run.state;
}

/** @param {import("./run.js").Run | null} run */
function detail(run) {
  const seen = run?.recording.seen ?? 0;
  const steps = `${seen.toLocaleString("en")} supervision ${seen === 1 ? "step" : "steps"}`;
  switch (stateOf(run)) {
    case "ready":
      return "Type a puzzle, paste one, or take an example.";
    case "asking":
      return "The puzzle is on its way into the batch.";
    case "thinking":
      return `${steps} so far.`;
    case "stopped":
      return `After ${steps}; its slot is free for another.`;
    case "failed":
      return seen ? `After ${steps}.` : "See below.";
    case "solved":
      return run?.result.verified ? "Verified by the rules." : "The network halted.";
    default:
      return "No answer that the rules accept was found.";
  }
}

/** @param {number} count */
function cells(count) {
  return count === 1 ? "1 cell" : `${count} cells`;
}

/** @param {number} ms */
export function milliseconds(ms) {
  if (ms >= 10000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 1000
    ? `${(ms / 1000).toFixed(2)} s`
    : `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}
