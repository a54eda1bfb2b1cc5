/** A place on the page where something that went wrong is told, beside where it went wrong. */

import { announce, button, make } from "./dom.js";
import { inWords } from "./problems.js";

export class Notice {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
  }

  clear() {
    this.root.replaceChildren();
    this.root.hidden = true;
  }

  /**
   * @param {string} title
   * @param {string} detail
   * @param {{tone?: "bad" | "plain", retry?: () => void}} [options]
   */
  tell(title, detail, { tone = "bad", retry } = {}) {
    this.root.hidden = false;
    this.root.dataset.tone = tone;
    this.root.replaceChildren(make("strong", {}, title), make("p", {}, detail));
    if (retry) this.root.append(button("Try again", retry, { class: "quiet" }));
    announce(`${title}. ${detail}`);
  }

  /**
   * @param {unknown} error
   * @param {() => void} [retry] offered where trying again may help
   * @returns {import("./problems.js").Told}
   */
  tellError(error, retry) {
    const told = inWords(error);
    this.tell(told.title, told.detail, { retry: told.again ? retry : undefined });
    return told;
  }
}
