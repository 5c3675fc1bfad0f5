/**
 * The first lines of the log: the version, the panel, what counts, and how the process is sealed.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { unmatchedNotices } from "../config/notices.ts";
import { panelName } from "../config/panels.ts";
import { describeSandbox, type Sandbox, sealGap } from "../sandbox/sandbox.ts";
import { getLogger } from "../log/log.ts";
import type { Machine } from "../metrics/machine.ts";
import { VERSION } from "../version.ts";

/** Names the panel, without the parts of its address that may be secret. */
export function logPanel(panel: { readonly endpoint: string }): void {
  getLogger("agent").info("komari-agent-deno {version} reports to {panel}", {
    version: VERSION,
    panel: panelName(panel),
  });
}

/** Names the interfaces and mount points that count, and options that match none. */
export function logCountedParts(machine: Machine, config: Config): void {
  const log = getLogger("agent");
  const notices = unmatched(config, machine);
  const text = "Counting the traffic of {interfaces}, and the space of {mountPoints}";
  const values = {
    interfaces: counted(machine.interfaces()),
    mountPoints: counted(machine.mounts().map((it) => ({ ...it, name: it.mountPoint }))),
    notices: notices.join("; "),
  };
  if (notices.length === 0) log.info(text, values);
  else log.warning(`${text}: {notices}`, values);
}

/** Names the walls between a panel and this machine; with remote control there is no sandbox. */
export function logSandbox(sandbox: Sandbox | undefined): void {
  const log = getLogger("remote");
  if (sandbox === undefined) {
    log.warning(
      "Remote control is on: this process is not sealed, and the panel can run anything on this " +
        "machine as this user",
    );
    return;
  }
  const text = "Remote control is off, and this process is {walls}";
  const values = { walls: describeSandbox(sandbox) };
  if (sealGap(sandbox) === undefined) log.info(text, values);
  else log.warning(text, values);
}

/** Options that match nothing on this machine, one line each. */
export function unmatched(config: Config, machine: Machine): string[] {
  return unmatchedNotices(config, {
    interfaces: machine.interfaces(),
    mountPoints: machine.mounts(),
    asksCards: machine.gpu !== undefined,
  });
}

function counted(decisions: readonly { name: string; counted: boolean }[]): string {
  const names = decisions.filter((it) => it.counted).map((it) => it.name);
  return names.length === 0 ? "nothing" : names.join(", ");
}
