import { Shell, type ShellOptions } from "../host/shell.ts";
import { describeError, getLogger } from "../log/log.ts";

/** The one thing that can start programs after the seal; without it there are no ICMP probes. */
export function startShell(options: ShellOptions): Shell | undefined {
  try {
    return Shell.start(options);
  } catch (error) {
    getLogger("agent").warning("{error}", { error: describeError(error) });
    return undefined;
  }
}
