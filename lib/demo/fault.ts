/**
 * The faults that `demo --fault` offers: what the panel answers in place of its usual answer.
 *
 * @module
 */

import { UsageError } from "../config/usage_error.ts";

/** A way in which the panel misbehaves. */
export interface Fault {
  readonly name: string;
  /** Its effect in one line of each language. */
  readonly en: string;
  readonly zh: string;
  /** Whether it affects WebSockets alone. */
  readonly isForWebSockets: boolean;
  /** The answer to a call. */
  readonly answer: () => Response | Promise<Response>;
}

const HTML = { "content-type": "text/html; charset=utf-8" };

/** Every fault that the demo offers. */
export const faults: readonly Fault[] = [
  {
    name: "websocket-refused",
    en: "refuses WebSockets with 403, as some proxies do",
    zh: "以 403 拒绝 WebSocket，如同某些代理",
    isForWebSockets: true,
    answer: () => new Response("WebSockets are not allowed here", { status: 403 }),
  },
  {
    name: "token-refused",
    en: "refuses the token",
    zh: "拒绝令牌",
    isForWebSockets: false,
    answer: unauthorized,
  },
  {
    name: "server-error",
    en: "answers every call with 502 and a proxy's page",
    zh: "对每个请求返回 502 和代理的页面",
    isForWebSockets: false,
    answer: () =>
      new Response(
        "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>",
        { status: 502, headers: HTML },
      ),
  },
  {
    name: "html",
    en: "answers every call with 200 and a page, like a wrong address",
    zh: "对每个请求返回 200 和网页，如同地址错误",
    isForWebSockets: false,
    answer: () =>
      new Response(
        "<!DOCTYPE html><html><head><title>Welcome</title></head><body></body></html>",
        { headers: HTML },
      ),
  },
  {
    name: "silence",
    en: "accepts every call and never answers",
    zh: "接受每个请求，但从不回复",
    isForWebSockets: false,
    answer: () => new Promise(() => {}),
  },
];

/** The answer to a wrong token. */
export function unauthorized(): Response {
  return Response.json({ status: "error", message: "Unauthorized." }, { status: 401 });
}

/**
 * Finds a fault of the table by its name.
 *
 * @throws {UsageError} When there is none; the message lists all names.
 */
export function parseFault(name: string): Fault {
  const fault = faults.find((known) => known.name === name);
  if (fault !== undefined) return fault;
  const names = faults.map((known) => known.name).join(", ");
  throw new UsageError(`Cannot use fault "${name}": known are ${names}`);
}

/** Lists the table, one line per fault. */
export function describeFaults(language: "en" | "zh"): string {
  return faults.map((fault) => fault.name.padEnd(19) + fault[language]).join("\n");
}
