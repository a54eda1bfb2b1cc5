/** Server-sent events out of the text of a response, which comes in pieces cut anywhere. */

/** @typedef {{event: string, data: any}} StreamEvent */

export class EventParser {
  #rest = "";

  /**
   * @param {string} text the next piece
   * @returns {StreamEvent[]} those that are complete by now; comments are none
   */
  push(text) {
    const blocks = (this.#rest + text).replaceAll("\r\n", "\n").split("\n\n");
    this.#rest = blocks.pop() ?? "";
    return blocks.map(readBlock).filter((event) => event !== null);
  }
}

/**
 * @param {string} block
 * @returns {StreamEvent | null}
 */
function readBlock(block) {
  let event = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
  }
  return data.length ? { event, data: JSON.parse(data.join("\n")) } : null;
}
