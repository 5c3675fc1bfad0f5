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

/** The effect of each fault, in one line of each language. */
export const faults = {
  "refuse": {
    en: "refuses connections, like a panel that is down",
    zh: "拒绝连接，如同面板已停止",
  },
  "status-500": {
    en: "answers every call with 500 and an empty body",
    zh: "对每个请求返回 500 和空内容",
  },
  "502-html": {
    en: "answers every call with 502 and a proxy's page",
    zh: "对每个请求返回 502 和代理的页面",
  },
  "html-200": {
    en: "answers every call with 200 and a page, like a wrong address",
    zh: "对每个请求返回 200 和网页，如同地址错误",
  },
  "401": {
    en: "refuses the token",
    zh: "拒绝令牌",
  },
  "404-install": {
    en: "answers every call with 404, like a panel that is not set up",
    zh: "对每个请求返回 404，如同面板尚未安装",
  },
  "302-login": {
    en: "redirects every call to a login page",
    zh: "把每个请求重定向到登录页",
  },
  "hang": {
    en: "accepts every call and never answers",
    zh: "接受每个请求，但从不回复",
  },
  "close": {
    en: "closes the connection without an answer",
    zh: "不回复就关闭连接",
  },
  "slow": {
    en: "answers every call 4 seconds late",
    zh: "对每个请求晚 4 秒回复",
  },
  "no-extra-columns": {
    en: "refuses basic info with the fields that old panels don't have",
    zh: "拒绝含有旧面板没有的字段的基本信息",
  },
  "reset": {
    en: "resets every connection without an answer",
    zh: "不回复就重置每个连接",
  },
  "mute": {
    en: "accepts WebSockets and never sends anything; calls by POST work",
    zh: "接受 WebSocket，但从不发送任何内容；POST 正常",
  },
  "mute-all": {
    en: "accepts every connection, never answers and never closes it",
    zh: "接受每个连接，从不回复，也从不关闭",
  },
  "upgrade-400": {
    en: "answers WebSocket upgrades with 400",
    zh: "对 WebSocket 升级返回 400",
  },
  "upgrade-403": {
    en: "answers WebSocket upgrades with 403, as some proxies do",
    zh: "对 WebSocket 升级返回 403，如同某些代理",
  },
  "upgrade-404": {
    en: "answers WebSocket upgrades with 404",
    zh: "对 WebSocket 升级返回 404",
  },
  "upgrade-405": {
    en: "answers WebSocket upgrades with 405",
    zh: "对 WebSocket 升级返回 405",
  },
  "upgrade-429": {
    en: "answers WebSocket upgrades with 429",
    zh: "对 WebSocket 升级返回 429",
  },
  "upgrade-502": {
    en: "answers WebSocket upgrades with 502 and a proxy's page",
    zh: "对 WebSocket 升级返回 502 和代理的页面",
  },
  "upgrade-520": {
    en: "answers WebSocket upgrades with 520 and a proxy's page",
    zh: "对 WebSocket 升级返回 520 和代理的页面",
  },
  "upgrade-html": {
    en: "answers WebSocket upgrades with 200 and a page",
    zh: "对 WebSocket 升级返回 200 和网页",
  },
  "upgrade-302": {
    en: "redirects WebSocket upgrades to a login page",
    zh: "把 WebSocket 升级重定向到登录页",
  },
  "upgrade-hang": {
    en: "accepts WebSocket upgrades and never answers them",
    zh: "接受 WebSocket 升级，但从不回复",
  },
  "close-after-upgrade": {
    en: "closes each WebSocket as soon as it is open",
    zh: "WebSocket 一打开就关闭",
  },
  "drop-mid-frame": {
    en: "closes each WebSocket in the middle of a frame",
    zh: "在帧的中途关闭 WebSocket",
  },
  "rpc-32601": {
    en: "answers every message of v2 with the error -32601, unknown method",
    zh: "对 v2 的每条消息返回错误 -32601（未知方法）",
  },
  "rpc-32000": {
    en: "answers every message of v2 with the error -32000, could not save",
    zh: "对 v2 的每条消息返回错误 -32000（无法保存）",
  },
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
export function describeFaults(language: "en" | "zh"): string {
  return faultNames().map((name) => `${name.padEnd(21)}${faults[name][language]}`).join("\n");
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
