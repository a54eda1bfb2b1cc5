/** The key that a server may ask for: kept for this tab alone, until it is closed. */

import { byId } from "./dom.js";

const PLACE = "ponder-key";

/** @returns {string | null} */
export function storedKey() {
  return sessionStorage.getItem(PLACE);
}

export function forgetKey() {
  sessionStorage.removeItem(PLACE);
}

/** @type {Promise<boolean> | null} */
let asking = null;

/**
 * Ask the person for the key; who asks meanwhile waits for the same answer.
 * @param {boolean} refused whether the server did not take the one before
 * @returns {Promise<boolean>} whether there is one now
 */
export function askForKey(refused) {
  asking ??= new Promise((answer) => {
    const dialog = /** @type {HTMLDialogElement} */ (byId("key-dialog"));
    const field = /** @type {HTMLInputElement} */ (byId("key-field"));
    byId("key-refused").hidden = !refused;
    field.value = "";
    dialog.returnValue = "";
    dialog.addEventListener(
      "close",
      () => {
        const key = field.value.trim();
        const given = dialog.returnValue === "given" && key !== "";
        if (given) sessionStorage.setItem(PLACE, key);
        field.value = "";
        asking = null;
        answer(given);
      },
      { once: true },
    );
    dialog.showModal();
  });
  return asking;
}
