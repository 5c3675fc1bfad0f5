/**
 * The ways in which the stand-in panel can misbehave.
 *
 * @module
 */

import { UsageError } from "../errors.ts";

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
} as const;

/** The name of a fault. */
export type FaultName = keyof typeof faults;

/** The calls that an agent makes. */
export type CallName = "basic info" | "report" | "task list" | "ping result";

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
  return faultNames().map((name) => `${name.padEnd(18)}${faults[name]}`).join("\n");
}

/** Whether a fault strikes a call; `undefined` stands for any other path. */
export function strikes(fault: Fault, call: CallName | undefined): boolean {
  if (fault.calls !== undefined && (call === undefined || !fault.calls.includes(call))) {
    return false;
  }
  switch (fault.name) {
    case "bad-tasks":
    case "tasks-hostile":
      return call === "task list";
    case "no-extra-columns":
      return call === "basic info";
    default:
      return true;
  }
}

function faultNames(): FaultName[] {
  const isFaultName = (name: string): name is FaultName => Object.hasOwn(faults, name);
  return Object.keys(faults).filter(isFaultName);
}
