// The agent's log.

import { byId, make } from "./dom.js";
import { model } from "./model.js";

/** Keeps the log at its last line, unless its reader has scrolled up. */
export function buildLog() {
  const log = byId("log");
  let follows = true;
  log.addEventListener("scrollend", () => {
    follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  });
  const scrollToEnd = () => {
    if (follows) log.scrollTop = log.scrollHeight;
  };
  new ResizeObserver(scrollToEnd).observe(log);
  new MutationObserver(scrollToEnd).observe(log, { childList: true });
}

export function showLog() {
  const log = byId("log");
  const lines = model.log.map(({ atMs, line }) => {
    // The log's own time is of no use beside others of the page.
    const text = line.replace(/^\S*\d\d:\d\d:\d\d\S* +/, "");
    return make("p", { className: /^(warning|error)/.exec(text)?.[0] ?? "" }, [
      make("time", { textContent: new Date(atMs).toLocaleTimeString("en-GB") }),
      text.slice(0, 1000),
    ]);
  });
  if (lines.length > 0) log.replaceChildren(...lines);
}
