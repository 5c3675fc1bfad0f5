import { delay } from "@std/async/delay";
import { describeError, getLogger, roundMs } from "../log/log.ts";
import type { Dialer } from "../net/byte_stream.ts";
import type { BodySink } from "../net/buffered_reader.ts";
import { DialError, ResponseError } from "../net/errors.ts";
import type { HttpClient, HttpRequest } from "../net/http_client.ts";
import { truncate } from "../parse/bounded_text.ts";
import { isTimeout, withTimeout } from "../async/timeout.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { type AuthenticatedTarget, callAuthenticated, type PanelAccess } from "./authentication.ts";
import type { MessageLimit } from "./message_limit.ts";
import { PanelError, type PanelFailure } from "./panel_error.ts";

/** How panels are reached, and the headers of each request. */
export interface DialOptions {
  readonly dialer: Dialer;
  readonly headers: readonly (readonly [string, string])[];
}

/** A call to a panel, before the token is put into it. */
export interface PanelCall extends Omit<HttpRequest, "url"> {
  /** Its name in the log: purpose, method and path, without the query. */
  readonly name: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** The response to a call, with any status. */
export interface PanelResponse {
  readonly status: number;
  readonly text: string;
  /** The `Location` header of a redirect. */
  readonly location?: string | undefined;
  /** The `Retry-After` header. */
  readonly retryAfter?: string | undefined;
  /** Whether it asks for a password by `WWW-Authenticate`, which no panel does. */
  readonly asksPassword?: boolean;
}

/** Makes a call and gives its response. */
export type PanelFetch = (call: PanelCall, signal: AbortSignal) => Promise<PanelResponse>;

/** Answers that are longer have many events, or such that are skipped. */
const LONG_ANSWER_BYTES = 64 * 1024;

/**
 * Creates a function that makes calls in a node's name, and sends `headers` with each. Long answers
 * count in `limit`, and are given after the pause that it asks for.
 *
 * It throws a {@linkcode PanelError} when there is no response in time, and the signal's reason when
 * that aborts.
 */
export function createPanelFetch(
  access: PanelAccess,
  { client, headers, limit }: {
    readonly client: Pick<HttpClient, "request">;
    readonly headers: DialOptions["headers"];
    readonly limit: MessageLimit;
  },
): PanelFetch {
  const log = getLogger("panel");
  const pauseAfter = async (bytes: number, signal: AbortSignal) => {
    // Looking for the events in a long one costs as much again as reading it.
    const pauseMs = limit.take(bytes + Math.max(0, bytes - LONG_ANSWER_BYTES));
    // The answer was asked for.
    limit.giveBack();
    if (pauseMs > 0) await delay(pauseMs, { signal });
  };
  const ask = async (call: PanelCall, target: AuthenticatedTarget, signal: AbortSignal) => {
    const { name, path: _, query: __, timeoutMs, newSink, ...rest } = call;
    const sent = [...headers, ...rest.headers, ...target.headers];
    let sunkBytes = 0;
    const counting = (sink: BodySink): BodySink => ({
      add(bytes) {
        sunkBytes += bytes.length;
        return sink.add(bytes);
      },
    });
    const request: HttpRequest = {
      ...rest,
      url: target.url,
      headers: sent,
      ...(newSink && { newSink: () => counting(newSink()) }),
    };
    const startedAtMs = performance.now();
    try {
      const { status, text, headers } = await withTimeout(
        (signal) => client.request(request, { signal }),
        { timeoutMs, signal },
      );
      log.debug("Status {status} in {ms} ms: {call}, {sentBytes} bytes sent", {
        event: "call",
        call: name,
        status,
        ms: roundMs(performance.now() - startedAtMs),
        sentBytes: rest.body?.length ?? 0,
      });
      await pauseAfter(text.length + sunkBytes, signal);
      const location = headers.get("location");
      const [retryAfter, asksPassword] = [
        headers.get("retry-after"),
        headers.has("www-authenticate"),
      ];
      return { status, text, location, retryAfter, asksPassword };
    } catch (cause) {
      signal.throwIfAborted();
      await pauseAfter(sunkBytes, signal);
      throw isTimeout(cause) ? timeoutError(name, timeoutMs) : connectionError(name, cause);
    }
  };
  return (call, signal) =>
    callAuthenticated(
      access,
      { ...call, isAccepted: provesToken },
      (target) => ask(call, target, signal),
    );
}

/** Whether a panel that answers so has taken the token: a proxy's page for strangers is no panel's answer. */
export function provesToken({ status, text }: Pick<PanelResponse, "status" | "text">): boolean {
  // An error of JSON-RPC is 400.
  return (status === 200 || status === 400) && !isHtml(text);
}

/** Whether a text is HTML, as proxies and old panels answer. */
export function isHtml(text: string): boolean {
  return /^\s*</.test(text);
}

/** Creates the error for a response with another status than 200. */
export function statusError(name: string, answer: PanelResponse): PanelError {
  const { status, text } = answer;
  if (status >= 300 && status < 400) {
    return failure(name, "redirected", `redirected to ${placeOf(answer.location ?? "")}`, status);
  }
  // A panel says so in JSON.
  if (status === 401 && (isHtml(text) || answer.asksPassword)) {
    const reason = `status 401${
      reasonOf(text)
    }: something in front of the panel asks for a password`;
    return failure(name, "unavailable", reason, status);
  }
  if (status === 401) {
    return failure(name, "unauthorized", "the panel does not know this token", status);
  }
  if (status === 407) {
    return failure(name, "unavailable", "the proxy wants another login (status 407)", status);
  }
  const kind = status === 400 || status === 500 ? "rejected" : "unavailable";
  const retryAfterMs = status === 429 ? toRetryAfterMs(answer.retryAfter) : undefined;
  return failure(name, kind, `status ${status}${reasonOf(text)}`, status, retryAfterMs);
}

/** The longest time that a `Retry-After` is honoured: a wrong one must not silence the agent. */
const MAX_RETRY_AFTER_MS = 5 * 60_000;

/** The milliseconds of a `Retry-After` in seconds or as a date; `undefined` for another text. */
export function toRetryAfterMs(text = ""): number | undefined {
  const isDate = /^[a-z]{3}/i.test(text);
  const dateMs = isDate ? Date.parse(text) - Date.now() : NaN;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : dateMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

/** Creates the error for a call without a response in time. */
export function timeoutError(name: string, timeoutMs: number): PanelError {
  return failure(name, "timeout", `no answer within ${timeoutMs / 1000} s`);
}

/** Creates the error for a failed connection; without a cause, which may hold the URL. */
export function connectionError(name: string, cause: unknown): PanelError {
  const kind = cause instanceof ResponseError ? RESPONSE_FAILURES[cause.kind] : "unreachable";
  // The message of a DialError is complete without the runtime's own below it.
  return failure(name, kind, cause instanceof DialError ? cause.message : describeError(cause));
}

const RESPONSE_FAILURES: Readonly<Record<ResponseError["kind"], PanelFailure>> = {
  closed: "unreachable",
  timeout: "timeout",
  malformed: "unreadable",
  "too long": "unreadable",
};

/** Describes the target of a redirect, without its query. */
function placeOf(location: string): string {
  const base = "http://panel";
  if (!URL.canParse(location, base)) return "an unreadable address";
  const { origin, pathname } = new URL(location, base);
  const place = origin === base ? pathname : origin + pathname;
  const hint = pathname.includes("/api/clients/")
    ? " (is that the panel's address?)"
    : " (a login page in front of the panel?)";
  return truncate(place, 200) + hint;
}

/** Describes an error behind its status: the panel's message in JSON, else the first line of a page. */
export function reasonOf(text: string): string {
  const line = firstPageLine(text);
  const quoted = line === "" ? "" : `, "${line}"`;
  if (isHtml(text)) return ` and a page of HTML${quoted}`;
  const { error, message } = jsonFields(parseJson(text));
  const words = [message, error].find((word) => typeof word === "string");
  return words === undefined ? quoted : `, "${truncate(String(words), 200)}"`;
}

/** Longest part of a page that is looked at, and of its first line that is shown. */
const MAX_PAGE_LENGTH = 4096;
const MAX_LINE_LENGTH = 80;

/** The title of a page of HTML, or its first words; the first line of a text; empty for JSON. */
export function firstPageLine(text: string): string {
  const page = text.slice(0, MAX_PAGE_LENGTH);
  if (/^\s*[[{"]/.test(page)) return "";
  const [, title] = /<title[^>]*>([^<]*)/i.exec(page) ?? [];
  const words = title ?? page.replace(/<(script|style)\b[^]*?<\/\1>|<[^>]*>/gi, "\n");
  const [line = ""] = words.split("\n").map((it) => it.trim()).filter((it) => it !== "");
  return truncate(line.replaceAll('"', "'"), MAX_LINE_LENGTH);
}

function failure(
  name: string,
  kind: PanelFailure,
  reason: string,
  status?: number,
  retryAfterMs?: number,
): PanelError {
  return new PanelError(`Cannot ${name}: ${reason}`, { failure: kind, status, retryAfterMs });
}
