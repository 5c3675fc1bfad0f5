/**
 * What the log tells an operator when the agent starts.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { unmatchedNotices } from "../config/notices.ts";
import { getLogger } from "../log/log.ts";
import type { Machine } from "../metrics/machine.ts";
import { VERSION } from "../version.ts";

/** Which panel is reported to, without what its address may hold in secret. */
export function sayWhoReports({ endpoint }: { readonly endpoint: string }): void {
  const { host, pathname } = new URL(endpoint);
  getLogger("agent").info("komari-agent-deno {version} reports to {panel}", {
    version: VERSION,
    panel: host + pathname.replace(/\/$/, ""),
  });
}

/** Which interfaces and mount points count, and what was asked for in vain. */
export function sayWhatCounts(machine: Machine, config: Config): void {
  const log = getLogger("agent");
  const { traffic, disk } = machine.collectors;
  const notices = unmatched(config, machine);
  const text = "Counting the traffic of {interfaces}, and the space of {mountPoints}";
  const values = {
    interfaces: counted(traffic.interfaces()),
    mountPoints: counted(disk.mounts().map((it) => ({ ...it, name: it.mountPoint }))),
    notices: notices.join("; "),
  };
  if (notices.length === 0) log.info(text, values);
  else log.warning(`${text}: {notices}`, values);
}

/** What a panel can do to this machine. */
export function sayWhatIsAllowed({ remoteControl }: Config): void {
  const log = getLogger("remote");
  if (remoteControl) {
    log.warning(
      "Remote control is on: whoever has the panel can run anything on this machine as this user",
    );
  } else {
    log.info("Remote control is off, and the process has given up the right to start programs");
  }
}

/** What the user asked for and this machine does not have. */
export function unmatched(
  config: Config,
  { collectors: { traffic, disk }, gpu }: Machine,
): string[] {
  return unmatchedNotices(config, {
    interfaces: traffic.interfaces(),
    mountPoints: disk.mounts(),
    asksCards: gpu !== undefined,
  });
}

function counted(decisions: readonly { name: string; counted: boolean }[]): string {
  const names = decisions.filter((it) => it.counted).map((it) => it.name);
  return names.length === 0 ? "nothing" : names.join(", ");
}
