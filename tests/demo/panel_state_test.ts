import { assertEquals } from "@std/assert";
import { PanelState } from "../../lib/demo/panel_state.ts";
import { REPORT } from "../test_panel/fake_reporter.ts";

const arrival = (atMs: number) => ({ atMs, by: "v1 post" as const, value: REPORT });

Deno.test("PanelState keeps the newest messages and counts all", () => {
  const state = new PanelState();
  for (let atMs = 1; atMs <= 3000; atMs++) {
    const message = { atMs, by: "v1 post" } as const;
    state.addReport(arrival(atMs));
    state.addBasicInfo({ ...message, value: {} });
    const [finishedAt, pingType] = ["", ""];
    state.addPingResult({ ...message, value: { taskId: 1, valueMs: 1, pingType, finishedAt } });
    state.addLogLine(`\u001b[33m${atMs}\u001b[0m`);
  }
  state.countRefused();
  const { reports, basicInfos, pingResults, logLines } = state;
  const lists = [reports, basicInfos, pingResults, logLines];
  assertEquals(lists.map(({ length }) => length), [720, 720, 2000, 200]);
  assertEquals(reports.at(-1)?.atMs, 3000);
  assertEquals([logLines[0]?.line, logLines.at(-1)?.line], ["2801", "3000"]);
  const counts = { reports: 3000, basicInfos: 3000, pingResults: 3000 };
  assertEquals(state.counts, { ...counts, refused: 1 });
});
