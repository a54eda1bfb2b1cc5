/** Tabs after the pattern of the ARIA authoring practices; the address remembers which one. */

/** @param {HTMLElement} list with a tab for every panel */
export function startTabs(list) {
  const tabs = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[role=tab]")]);
  const show = (/** @type {HTMLElement} */ chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      const panel = document.getElementById(tab.getAttribute("aria-controls") ?? "");
      if (panel) panel.hidden = tab !== chosen;
    }
  };
  const addressed = () => tabs.find((tab) => tab.dataset.name === location.hash.slice(1));
  for (const tab of tabs) {
    tab.addEventListener("click", () => {
      show(tab);
      history.replaceState(null, "", `#${tab.dataset.name}`);
    });
  }
  list.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!move) return;
    event.preventDefault();
    const now = tabs.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const next = tabs[(now + move + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
  addEventListener("hashchange", () => {
    const tab = addressed(); // other addresses are places on the page
    if (tab) show(tab);
  });
  show(addressed() ?? tabs[0]);
}
