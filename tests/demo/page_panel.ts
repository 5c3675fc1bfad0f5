import { loopbackTasks } from "../../lib/demo/stand_in_panel.ts";
import { BASIC_INFO, deliver, PING_RESULT, REPORT } from "../test_panel/fake_reporter.ts";
import { startTestPanel, type TestPanel, type TestPanelOptions } from "../test_panel/test_panel.ts";

/** Starts a panel with the demo's page and its probes. */
export async function startPanel(options: TestPanelOptions = {}): Promise<TestPanel> {
  const panel = await startTestPanel(options);
  panel.state.tasks = loopbackTasks(panel.port);
  return panel;
}

/** Starts one, and closes it afterwards. */
export async function withPanel(use: (panel: TestPanel) => Promise<void>): Promise<void> {
  using panel = await startPanel();
  await use(panel);
}

/** Sends the reports of a minute, with one loss per probe. */
export async function reportSome(panel: TestPanel): Promise<void> {
  await deliver(panel, "uploadBasicInfo", BASIC_INFO);
  for (let index = 0; index < 12; index++) {
    await deliver(panel, "report", { ...REPORT, cpu: { usage: 10 + index } });
    for (const [task, kind] of ["icmp", "tcp", "http"].entries()) {
      const value = index === 5 ? -1 : 3 * task + index % 3;
      const result = { ...PING_RESULT, task_id: task + 1, ping_type: kind, value };
      await deliver(panel, "ping/result", result);
    }
  }
}
