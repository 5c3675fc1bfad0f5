import { StandInPanel } from "../../lib/demo/stand_in_panel.ts";
import { deliverRpc } from "../test_panel/fake_agent.ts";
import { BASIC_INFO, PING_RESULT, REPORT } from "../test_panel/fake_reporter.ts";
import { testsWith } from "../tests_with.ts";

/** Starts the demo's panel, which closes with its block. */
export function startPanel(language: "en" | "zh" = "en"): StandInPanel & Disposable {
  const panel = new StandInPanel(language);
  panel.open(0);
  return Object.assign(panel, { [Symbol.dispose]: () => panel.close() });
}

/** Tests with a panel of their own each. */
export const withPanel = testsWith(() => startPanel());

/** Reports as an agent does. */
export async function report(panel: StandInPanel, report: unknown): Promise<void> {
  await deliverRpc(panel, "agent.report", { report });
}

/** Sends the reports of a minute, with one loss per probe. */
export async function reportSome(panel: StandInPanel): Promise<void> {
  await deliverRpc(panel, "agent.basicInfo", { info: BASIC_INFO });
  for (let index = 0; index < 12; index++) {
    await report(panel, { ...REPORT, cpu: { usage: 10 + index } });
    for (const [task, kind] of ["icmp", "tcp", "http"].entries()) {
      const value = index === 5 ? -1 : 3 * task + index % 3;
      const result = { ...PING_RESULT, task_id: task + 1, ping_type: kind, value };
      await deliverRpc(panel, "agent.pingResult", result);
    }
  }
}
