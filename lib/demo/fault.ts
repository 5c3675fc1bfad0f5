/**
 * Faults of the stand-in panel: the table of those that `demo --fault` offers, and which calls each
 * affects.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { UsageError } from "../config/usage_error.ts";

/** The effect of each fault, in one line. */
export const faults = {
  "refuse": "refuses connections, like a panel that is down",
  "status-500": "answers every call with 500 and an empty body",
  "502-html": "answers every call with 502 and a proxy's page",
  "html-200": "answers every call with 200 and a page, like a wrong address",
  "401": "refuses the token",
  "404-install": "answers every call with 404, like a panel that is not set up",
  "302-login": "redirects every call to a login page",
  "hang": "accepts every call and never answers",
  "close": "closes the connection without an answer",
  "slow": "answers every call 4 seconds late",
  "no-extra-columns": "refuses basic info with the fields that old panels don't have",
  "reset": "resets every connection without an answer",
  "mute": "accepts WebSockets and never sends anything; calls by POST work",
  "mute-all": "accepts every connection, never answers and never closes it",
  "upgrade-400": "answers WebSocket upgrades with 400",
  "upgrade-403": "answers WebSocket upgrades with 403, as some proxies do",
  "upgrade-404": "answers WebSocket upgrades with 404",
  "upgrade-405": "answers WebSocket upgrades with 405",
  "upgrade-429": "answers WebSocket upgrades with 429",
  "upgrade-502": "answers WebSocket upgrades with 502 and a proxy's page",
  "upgrade-520": "answers WebSocket upgrades with 520 and a proxy's page",
  "upgrade-html": "answers WebSocket upgrades with 200 and a page",
  "upgrade-302": "redirects WebSocket upgrades to a login page",
  "upgrade-hang": "accepts WebSocket upgrades and never answers them",
  "close-after-upgrade": "closes each WebSocket as soon as it is open",
  "drop-mid-frame": "closes each WebSocket in the middle of a frame",
  "rpc-32601": "answers every message of v2 with the error -32601, unknown method",
  "rpc-32000": "answers every message of v2 with the error -32000, could not save",
} as const;

/** The name of a fault in the table. */
export type FaultName = keyof typeof faults;

/** A call of an agent, independent of its transport, or a WebSocket that it opens. */
export type CallName =
  | "basic info"
  | "report"
  | "task list"
  | "ping result"
  | "task result"
  | "pull"
  | "register"
  | "file result"
  | "file transfer"
  | "startup config"
  | "upgrade"
  | "terminal";

/** A fault of the table, limited to some calls if wanted. */
export interface NamedFault {
  readonly name: FaultName;
  /** Only these calls; every call when absent. `refuse` always affects all. */
  readonly calls?: readonly CallName[] | undefined;
  /** Delay of `slow`, in milliseconds. */
  readonly delayMs?: number;
}

/** A WebSocket and the connection below it. */
export interface RawSocket {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
}

/** Sends orders to the node. */
export interface OrderSender {
  sendCommand(command: string): string;
  sendPing(ping: { id: number; kind: string; target: string }): boolean;
}

/** A fault that a test brings along. A hook that is absent leaves the usual behaviour. */
export interface CustomFault {
  readonly name: "custom";
  /** Only these calls; every call when absent. */
  readonly calls?: readonly CallName[] | undefined;
  /** Answers an HTTP call. */
  readonly answerCall?: (response: ServerResponse) => Promise<void>;
  /** Answers an upgrade request on its raw connection; WebSockets that are open are closed. */
  readonly answerUpgrade?: (socket: Socket) => Promise<void>;
  /** Misbehaves on each open WebSocket. */
  readonly playOnSocket?: (socket: RawSocket) => Promise<void>;
  /** Sends orders to the node as soon as it can be reached. */
  readonly sendOrders?: (orders: OrderSender, options: { signal: AbortSignal }) => Promise<void>;
}

/** The way in which a panel misbehaves at present. */
export type Fault = NamedFault | CustomFault;

/**
 * Finds a fault of the table by its name.
 *
 * @throws {UsageError} When there is none; the message lists all names.
 */
export function parseFault(name: string): NamedFault {
  for (const known of faultNames()) {
    if (known === name) return { name: known };
  }
  throw new UsageError(`Cannot use fault "${name}": known are ${faultNames().join(", ")}`);
}

/** Lists the table, one line per fault. */
export function describeFaults(): string {
  return faultNames().map((name) => `${name.padEnd(21)}${faults[name]}`).join("\n");
}

/** Whether a fault affects a call; `undefined` stands for any other path. */
export function affects(fault: Fault, call: CallName | undefined): boolean {
  if (fault.calls !== undefined && (call === undefined || !fault.calls.includes(call))) {
    return false;
  }
  if (fault.name === "custom") return true;
  const isSocket = call === "upgrade" || call === "terminal";
  if (/^upgrade-|^mute$|^close-after|^drop-mid/.test(fault.name)) return isSocket;
  if (fault.name === "no-extra-columns") return call === "basic info";
  return !(fault.name.startsWith("rpc-") && isSocket);
}

/** Whether WebSockets stay open under a fault, but nothing is sent or read on them. */
export function isMute(fault: Fault | undefined): boolean {
  return fault !== undefined && /^(mute|mute-all|hang)$/.test(fault.name) &&
    affects(fault, "upgrade");
}

/** The names of all faults, in the order of the table. */
export function faultNames(): FaultName[] {
  const isFaultName = (name: string): name is FaultName => Object.hasOwn(faults, name);
  return Object.keys(faults).filter(isFaultName);
}
