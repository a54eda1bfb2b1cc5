/** Dark or light: as the system says, until somebody presses the button. */

import { byId } from "./dom.js";

const PLACE = "ponder-theme";

export function startTheme() {
  const toggle = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? systemTheme(system)) === "dark";
  const show = () => toggle.setAttribute("aria-pressed", String(isDark()));
  const chosen = localStorage.getItem(PLACE);
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  show();
  system.addEventListener("change", show);
  toggle.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem(PLACE, theme);
    show();
  });
}

/** @param {MediaQueryList} system */
function systemTheme(system) {
  return system.matches ? "dark" : "light";
}
