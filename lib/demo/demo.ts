/**
 * The `demo` command's own part: a stand-in panel with one probe of each kind.
 *
 * @module
 */

import type { Fault } from "./fault.ts";
import { type StandInPanel, startStandInPanel } from "./stand_in_panel.ts";
import { loopbackTasks } from "./wire_task.ts";

/**
 * Starts the panel that an agent then reports to, by its `url` and `token`.
 *
 * @throws {Error} When no port is free (`Cannot listen on …`).
 */
export async function startDemo(
  options: { port?: number; fault?: Fault; remoteControl?: boolean; signal?: AbortSignal } = {},
): Promise<StandInPanel> {
  const panel = await startStandInPanel(options);
  panel.state.tasks = loopbackTasks(panel.port);
  return panel;
}
