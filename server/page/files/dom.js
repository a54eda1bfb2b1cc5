/** Small things about the document that every part of the page needs. */

/**
 * An element that must be there.
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return /** @type {T} */ (found);
}

/**
 * A new element. Text goes in as text, never as markup.
 * @param {string} tag
 * @param {Record<string, string | number | boolean | null | undefined>} [attributes]
 *   `true` sets an empty attribute; false, null and undefined set none
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/**
 * A button.
 * @param {string} text
 * @param {() => void} onPress
 * @param {Record<string, string | boolean>} [attributes]
 * @returns {HTMLButtonElement}
 */
export function button(text, onPress, attributes = {}) {
  const made = make("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", onPress);
  return /** @type {HTMLButtonElement} */ (made);
}

/**
 * Radio buttons in one line, as a segmented control.
 * @param {HTMLElement} root a fieldset, whose legend stays
 * @param {string} name
 * @param {{value: string, label: string, title?: string, name?: string}[]} choices
 * @param {string} chosen
 * @param {(value: string) => void} onChoice
 */
export function segments(root, name, choices, chosen, onChoice) {
  root.querySelectorAll("label").forEach((label) => label.remove());
  for (const { value, label, title, name: spoken } of choices) {
    const input = make("input", { type: "radio", name, value, "aria-label": spoken });
    /** @type {HTMLInputElement} */ (input).checked = value === chosen;
    input.addEventListener("change", () => onChoice(value));
    root.append(make("label", { class: "segment", title }, input, make("span", {}, label)));
  }
}

/**
 * Say something to who cannot see the page change.
 * @param {string} text
 */
export function announce(text) {
  const region = byId("announcements");
  region.textContent = "";
  region.textContent = text;
}

/**
 * Copy text, also where the page is not served securely and has no clipboard of its own.
 * @param {string} text
 * @returns {Promise<boolean>} whether it is copied
 */
export async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Not allowed; the older way below may be.
    }
  }
  const area = /** @type {HTMLTextAreaElement} */ (make("textarea", { class: "unseen" }));
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}

/**
 * A button that copies, and says so for a moment.
 * @param {HTMLButtonElement} pressed
 * @param {() => string} text
 */
export function copies(pressed, text) {
  const label = pressed.textContent ?? "";
  pressed.addEventListener("click", async () => {
    const copied = await copy(text());
    pressed.textContent = copied ? "Copied" : "Could not copy";
    announce(pressed.textContent);
    setTimeout(() => (pressed.textContent = label), 1600);
  });
}

/** Whether the person wants things to stay where they are. */
export function prefersStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
