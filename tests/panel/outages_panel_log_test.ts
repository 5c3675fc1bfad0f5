import { assertEquals } from "@std/assert";
import { PanelLog } from "../../lib/panel/outages.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { panelLines } from "./panel_lines.ts";

Deno.test("PanelLog logs the start and the end of an outage", () => {
  const error = new PanelError("Cannot send report: refused", { failure: "unreachable" });
  const lines = panelLines(() => {
    const log = new PanelLog();
    log.succeeded("report");
    for (let n = 0; n < 1_000; n++) log.failed("report", error);
    log.succeeded("report");
    log.succeeded("report");
  });
  assertEquals(lines, [
    "warning Cannot send report: refused; trying again",
    "info The panel answers again after 0 s and 1000 failed calls",
  ]);
});

Deno.test("PanelLog does not interpret the panel's text as a template", () => {
  const lines = panelLines(() => {
    const log = new PanelLog();
    log.info("an {odd} name");
    log.warning("{text}");
    log.failed("report", new Error("the panel says {text}"));
  });
  assertEquals(lines, [
    "info an {odd} name",
    "warning {text}",
    "warning the panel says {text}; trying again",
  ]);
});

Deno.test("PanelLog passes on every outcome, also those that it does not log", () => {
  const error = new PanelError("Cannot send report: refused", { failure: "unreachable" });
  const heard: unknown[] = [];
  panelLines(() => {
    const log = new PanelLog({ onOutcome: (error) => heard.push(error) });
    log.succeeded("report");
    log.failed("report", error);
    log.failed("pull", error);
    log.succeeded("report");
  });
  assertEquals(heard, [undefined, error, error, undefined]);
});
