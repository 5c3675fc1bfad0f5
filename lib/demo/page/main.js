// The page of the demo: receives the panel's events and draws what they change.

import { isChinese, model, refresh } from "./base.js";
import { buildPlots, showPlots } from "./plots.js";
import {
  buildBasicInfo,
  buildDevelopers,
  buildLog,
  showBasicInfo,
  showCounts,
  showFault,
  showLog,
  showPresence,
  showProbes,
} from "./sections.js";
import { buildTiles, showReport } from "./tiles.js";

const MAX_POINTS = 720;
const MAX_RESULTS = 2000;
const LOG_LINES_SHOWN = 200;

function receive(event) {
  if (event.nowMs !== undefined) {
    model.aheadMs = event.nowMs - Date.now();
    Object.assign(model, { history: [], pingHistory: [], log: [] });
    model.report = undefined;
    refresh(showProbes, showFault, showBasicInfo, showLog);
  }
  if (event.report) model.report = event.report;
  if (event.history) model.history = [...model.history, ...event.history].slice(-MAX_POINTS);
  if (event.pingHistory) {
    model.pingHistory = [...model.pingHistory, ...event.pingHistory].slice(-MAX_RESULTS);
    refresh(showProbes);
  }
  if (event.log) {
    model.log = [...model.log, ...event.log].slice(-LOG_LINES_SHOWN);
    refresh(showLog);
  }
  if (event.basicInfo) {
    model.basicInfo = event.basicInfo;
    refresh(showBasicInfo);
  }
  if (event.tasks) {
    model.tasks = event.tasks;
    refresh(showProbes);
  }
  if (event.faults) model.faults = event.faults;
  if (event.fault !== undefined) {
    model.fault = event.fault;
    refresh(showFault);
  }
  if (event.counts) model.counts = event.counts;
  refresh(showReport, showCounts, showPresence, showPlots);
}

if (isChinese) {
  for (const element of document.querySelectorAll("[data-zh]")) {
    element.textContent = element.dataset.zh;
  }
}
buildTiles();
buildPlots();
buildBasicInfo();
buildLog();
buildDevelopers();
showPlots();

const events = new EventSource("/demo/events");
events.onopen = () => {
  model.connected = true;
  refresh(showPresence);
};
events.onmessage = (message) => receive(JSON.parse(message.data));
events.onerror = () => {
  model.connected = false;
  refresh(showPresence);
};
setInterval(() => refresh(showPresence, showPlots), 1000);
addEventListener("resize", () => refresh(showPlots));
