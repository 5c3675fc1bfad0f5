/**
 * Options about what a panel may start on this machine.
 *
 * @module
 */

import { number, toggle } from "./option.ts";

/** Part of the option table, apart for its length only. */
export const REMOTE_OPTIONS = {
  enableRemoteControl: toggle({
    ...namesRemoteOptions("enable-remote-control"),
    help: "Let the panel run commands and open terminals here, with this process's rights",
  }),
  disableWebSsh: toggle({
    ...namesRemoteOptions("disable-web-ssh"),
    help: "The official switch against it; wins over --enable-remote-control",
  }),
  execTimeout: number({
    ...namesRemoteOptions("exec-timeout"),
    placeholder: "MINUTES",
    help: "How long a command of the panel's may run",
    initial: 10,
    min: 0.01,
    max: 1440,
  }),
  terminalIdle: number({
    ...namesRemoteOptions("terminal-idle"),
    placeholder: "MINUTES",
    help: "How long a terminal may lie idle before it is closed",
    initial: 15,
    min: 0.01,
    max: 1440,
  }),
} as const;

function namesRemoteOptions(flag: string) {
  const key = flag.replaceAll("-", "_");
  const group = "Remote control" as const;
  return { flag, variable: `AGENT_${key.toUpperCase()}`, key, group };
}
