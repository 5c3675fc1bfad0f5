/**
 * The ways in which the stand-in panel can misbehave.
 *
 * @module
 */

import { UsageError } from "../config/usage_error.ts";

/** What each fault does, in one line. */
export const faults = {
  "refuse": "refuses connections, as a panel that is down",
  "status-500": "answers every call with 500 and an empty body",
  "502-html": "answers every call with 502 and a proxy's page",
  "html-200": "answers every call with 200 and a page, as a wrong address does",
  "401": "refuses the token",
  "404-install": "answers every call with 404, as a panel that is not set up",
  "302-login": "redirects every call to a login page",
  "hang": "takes every call and never answers",
  "endless": "answers every call with a body that never ends",
  "close": "closes the connection without an answer",
  "bad-tasks": "sends a task list that is cut off",
  "tasks-hostile": "sends 10,000 tasks of odd types, targets and intervals",
  "huge": "answers every call with 64 MiB",
  "slow": "answers every call 4 seconds late",
  "no-extra-columns": "refuses basic info with the fields that old panels don't have",
  "reset": "ends every connection by a reset, without an answer",
  "mute": "takes WebSockets and never says a word there; calls by POST work",
  "mute-all": "takes every connection and never answers, nor ends one",
  "upgrade-400": "answers WebSockets alone with 400",
  "upgrade-403": "answers WebSockets alone with 403, as some proxies do",
  "upgrade-404": "answers WebSockets alone with 404",
  "upgrade-405": "answers WebSockets alone with 405",
  "upgrade-429": "answers WebSockets alone with 429",
  "upgrade-502": "answers WebSockets alone with 502 and a proxy's page",
  "upgrade-520": "answers WebSockets alone with 520 and a proxy's page",
  "upgrade-html": "answers WebSockets alone with 200 and a page",
  "upgrade-302": "redirects WebSockets alone to a login page",
  "upgrade-hang": "takes WebSockets alone and never answers them",
  "close-after-upgrade": "hangs up on each WebSocket as soon as it stands",
  "drop-mid-frame": "hangs up on each WebSocket in the midst of a frame",
  "rpc-32601": "answers every message of v2 with the error -32601, unknown method",
  "rpc-32000": "answers every message of v2 with the error -32000, could not save",
  "huge-message": "sends a text of 64 MiB over each WebSocket, and as each answer",
  "garbage-message": "sends rubbish, broken JSON, wrong types and unknown methods",
  "deep-message": "sends 100,000 lists within each other",
  "bomb": "sends 512 MiB of zeros packed into half a MiB, asked for or not",
  "ping-flood": "orders 10,000 probes at once: a closed port, and odd targets",
  "ping-black-hole": "orders 10,000 probes at once of a server that never answers",
  "exec-flood": "orders 100 commands at once",
  "exec-huge": "orders a command that writes 200 MB",
  "exec-endless": "orders a command that writes and never ends",
} as const;

/** The name of a fault. */
export type FaultName = keyof typeof faults;

/** The calls that an agent makes, by whatever way, and the WebSockets that it opens. */
export type CallName =
  | "basic info"
  | "report"
  | "task list"
  | "ping result"
  | "task result"
  | "pull"
  | "register"
  | "upgrade"
  | "terminal";

/** A fault and what it strikes. */
export interface Fault {
  readonly name: FaultName;
  /** Only these calls; every call when absent. `refuse` strikes all in any case. */
  readonly calls?: readonly CallName[];
  /** How late `slow` answers, in milliseconds. */
  readonly delayMs?: number;
}

/**
 * The fault of that name.
 *
 * @throws {UsageError} When there is none; the message lists those that there are.
 */
export function parseFault(name: string): Fault {
  for (const known of faultNames()) {
    if (known === name) return { name: known };
  }
  throw new UsageError(`Cannot use fault "${name}": known are ${faultNames().join(", ")}`);
}

/** Every fault with its meaning, a line each. */
export function describeFaults(): string {
  return faultNames().map((name) => `${name.padEnd(21)}${faults[name]}`).join("\n");
}

/** Whether a fault strikes a call; `undefined` stands for any other path. */
export function strikes(fault: Fault, call: CallName | undefined): boolean {
  if (fault.calls !== undefined && (call === undefined || !fault.calls.includes(call))) {
    return false;
  }
  if (/^upgrade-|^mute$|^close-after|^drop-mid/.test(fault.name)) {
    return call === "upgrade" || call === "terminal";
  }
  if (isOrders(fault)) return call === "upgrade";
  switch (fault.name) {
    case "bad-tasks":
    case "tasks-hostile":
      return call === "task list";
    case "no-extra-columns":
      return call === "basic info";
    case "rpc-32601":
    case "rpc-32000":
      return call !== "upgrade" && call !== "terminal";
    default:
      return true;
  }
}

/** Whether a fault consists of orders, which take the way that there is. */
export function isOrders(fault: Fault): boolean {
  return /^(ping|exec)-/.test(fault.name);
}

/** Whether WebSockets stand under a fault and nothing is said or heard there. */
export function isMute(fault: Fault | undefined): boolean {
  return fault !== undefined && /^(mute|mute-all|hang)$/.test(fault.name) &&
    strikes(fault, "upgrade");
}

/** Every fault's name, in the order of the table. */
export function faultNames(): FaultName[] {
  const isFaultName = (name: string): name is FaultName => Object.hasOwn(faults, name);
  return Object.keys(faults).filter(isFaultName);
}
