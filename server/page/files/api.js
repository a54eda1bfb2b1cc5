/** The server's HTTP API, its problems as errors, and the key that it may ask for. */

import { EventParser } from "./event_stream.js";
import { askForKey, forgetKey, storedKey } from "./key.js";

const UNAUTHORIZED = 401;

/** An answer that the server did not give, in the words of RFC 9457. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {{code?: string, title?: string, detail?: string, errors?: object[]}} body
   * @param {number | null} retryAfter seconds
   */
  constructor(status, body, retryAfter = null) {
    super(body.detail ?? body.title ?? `The server answered ${status}.`);
    this.status = status;
    this.code = body.code ?? "";
    this.title = body.title ?? "";
    /** @type {{detail: string, row?: number, column?: number, field?: string}[]} */
    this.errors = /** @type {any} */ (body.errors ?? []);
    this.retryAfter = retryAfter;
  }
}

/** Nobody answered, or the answer broke off. */
export class ConnectionLost extends Error {}

/**
 * @param {string} path relative to the page, so that it works behind a prefix too
 * @returns {Promise<any>} the JSON of the answer
 * Throws Problem, ConnectionLost.
 */
export async function getJson(path, { quietly = false } = {}) {
  return jsonOf(await request(path, {}, quietly));
}

/**
 * @param {string} path
 * @param {object} body
 * @param {AbortSignal} [signal]
 * @returns {Promise<{status: number, body: any}>}
 * Throws Problem, ConnectionLost; AbortError once `signal` says so.
 */
export async function postJson(path, body, signal) {
  const response = await request(path, posted(body, "application/json", signal));
  return { status: response.status, body: await jsonOf(response) };
}

/**
 * The events of a puzzle that is being solved, until its result.
 * @param {object} body of `POST /v1/solve`
 * @param {AbortSignal} signal leaving is how a puzzle is given up: its slot is free at once
 * @returns {AsyncGenerator<import("./event_stream.js").StreamEvent>}
 * Throws Problem, ConnectionLost; AbortError once `signal` says so.
 */
export async function* solveEvents(body, signal) {
  const response = await request("v1/solve", posted(body, "text/event-stream", signal));
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
    yield { event: "result", data: await jsonOf(response) };
    return;
  }
  const parser = new EventParser();
  const decoder = new TextDecoder();
  for await (const piece of pieces(response, signal)) {
    for (const event of parser.push(decoder.decode(piece, { stream: true }))) {
      if (event.event === "problem") throw new Problem(event.data.status, event.data);
      yield event;
      if (event.event === "result") return;
    }
  }
  throw new ConnectionLost("The server ended its answer before the result.");
}

/**
 * @param {Response} response
 * @param {AbortSignal} signal
 */
async function* pieces(response, signal) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ConnectionLost("The connection broke off while the puzzle was being solved.");
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * @param {object} body
 * @param {string} accept
 * @param {AbortSignal} [signal]
 * @returns {RequestInit}
 */
function posted(body, accept, signal) {
  const headers = { Accept: accept, "Content-Type": "application/json" };
  return { method: "POST", headers, body: JSON.stringify(body), signal };
}

/**
 * Ask, and ask once more with a key if the server wants one and the person has it.
 * @param {string} path
 * @param {RequestInit} init
 * @param {boolean} [quietly] do not ask the person for a key
 */
async function request(path, init, quietly = false) {
  let response = await ask(path, init);
  while (response.status === UNAUTHORIZED && !quietly) {
    const refused = storedKey() !== null;
    forgetKey();
    if (!(await askForKey(refused))) break;
    response = await ask(path, init);
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function ask(path, init) {
  const headers = new Headers(init.headers);
  const key = storedKey();
  if (key !== null) headers.set("Authorization", `Bearer ${key}`);
  try {
    return await fetch(path, { ...init, headers });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ConnectionLost("The server does not answer.");
  }
}

/** @param {Response} response */
async function problemOf(response) {
  const seconds = Number(response.headers.get("Retry-After"));
  let body = {};
  try {
    body = await response.json();
  } catch {
    // Somebody between, a proxy say, answered in its own words: the status has to do.
  }
  return new Problem(response.status, body, seconds > 0 ? seconds : null);
}

/** @param {Response} response */
async function jsonOf(response) {
  try {
    return await response.json();
  } catch {
    throw new ConnectionLost("The server's answer broke off.");
  }
}
