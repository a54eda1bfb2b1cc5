/** Starts the page. */

import { getJson } from "./api.js";
import { startArc } from "./arc.js";
import { byId } from "./dom.js";
import { EnginePanel } from "./engine.js";
import { Notice } from "./notice.js";
import { SudokuTab } from "./sudoku.js";
import { startTabs } from "./tabs.js";
import { startTheme } from "./theme.js";

startTheme();
startTabs(byId("tabs"));
new EnginePanel();
load();

async function load() {
  const notice = new Notice(byId("load-notice"));
  notice.clear();
  try {
    const { models, defaults } = await getJson("v1/models");
    byId("panels").hidden = false;
    new SudokuTab(models, defaults);
    startArc(models);
    document.documentElement.dataset.loaded = "";
  } catch (error) {
    notice.tellError(error, load);
  }
}
