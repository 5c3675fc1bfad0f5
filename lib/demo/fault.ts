/**
 * Faults of the stand-in panel that `demo --fault` offers, and which calls each affects.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { UsageError } from "../config/usage_error.ts";
import {
  type Answer,
  htmlAnswer,
  jsonAnswer,
  textAnswer,
  writeAnswer,
  writeRawAnswer,
} from "./http.ts";

/** A way in which the panel misbehaves. A field that is absent leaves the usual behaviour. */
export interface Fault {
  readonly name: string;
  /**
   * The calls that it affects: `upgrade` and `terminal` for WebSockets, others by `callName()`. Every
   * call when absent.
   */
  readonly calls?: readonly string[] | undefined;
  /** Answers a call, or leaves it without an answer. */
  readonly answerCall?: (response: ServerResponse) => void | Promise<void>;
  /** Answers an upgrade request on its raw connection; WebSockets that are open are closed. */
  readonly answerUpgrade?: (socket: Socket) => void | Promise<void>;
  /** Whether WebSockets stay open, but nothing is sent or read on them. */
  readonly isMute?: boolean;
}

/** A fault without its name, and its effect in one line of each language. */
export type FaultRow = Omit<Fault, "name"> & { readonly en: string; readonly zh: string };

/** The calls that open a WebSocket. */
export const UPGRADES: readonly string[] = ["upgrade", "terminal"];

/** The page of a proxy that does not reach the panel. */
export const proxyPage =
  "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>";
const otherPage = "<!DOCTYPE html><html><head><title>Welcome</title></head><body></body></html>";

/** Answers each call and upgrade request alike. */
export function answering(answer: Answer): Omit<Fault, "name"> {
  return {
    answerCall: (response) => writeAnswer(response, answer),
    answerUpgrade: (socket) => writeRawAnswer(socket, answer),
  };
}

/** Every fault that the demo offers, by its name. */
export const faults = {
  "websocket-refused": {
    en: "refuses WebSockets with 403, as some proxies do",
    zh: "以 403 拒绝 WebSocket，如同某些代理",
    calls: UPGRADES,
    ...answering(textAnswer(403, "WebSockets are not allowed here")),
  },
  "token-refused": {
    en: "refuses the token",
    zh: "拒绝令牌",
    ...answering(jsonAnswer(401, { status: "error", message: "Unauthorized." })),
  },
  "server-error": {
    en: "answers every call with 502 and a proxy's page",
    zh: "对每个请求返回 502 和代理的页面",
    ...answering(htmlAnswer(502, proxyPage)),
  },
  "html": {
    en: "answers every call with 200 and a page, like a wrong address",
    zh: "对每个请求返回 200 和网页，如同地址错误",
    ...answering(htmlAnswer(200, otherPage)),
  },
  "silence": {
    en: "accepts every call and never answers",
    zh: "接受每个请求，但从不回复",
    answerCall() {},
    answerUpgrade() {},
    isMute: true,
  },
} as const satisfies Record<string, FaultRow>;

/**
 * Finds a fault of the table by its name.
 *
 * @throws {UsageError} When there is none; the message lists all names.
 */
export function parseFault(name: string): Fault {
  const row = Object.entries(faults).find(([known]) => known === name)?.[1];
  if (row !== undefined) return { name, ...row };
  const names = Object.keys(faults).join(", ");
  throw new UsageError(`Cannot use fault "${name}": known are ${names}`);
}

/** Lists the table, one line per fault. */
export function describeFaults(language: "en" | "zh"): string {
  const lines = Object.entries(faults).map(([name, row]) => name.padEnd(19) + row[language]);
  return lines.join("\n");
}

/** Whether a fault affects a call. */
export function affects(fault: Fault, call: string): boolean {
  return fault.calls === undefined || fault.calls.includes(call);
}
