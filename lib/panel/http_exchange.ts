import { describeError } from "../log/log.ts";
import { DialError, ResponseError } from "../net/errors.ts";
import type { HttpClient } from "../net/http_client.ts";
import { withTimeout } from "../net/timeout.ts";
import { PanelError, type PanelFailure } from "./panel_error.ts";

/** One call to a panel. */
export interface PanelCall {
  /** What the log calls it: method and path, without the query. */
  readonly name: string;
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly timeoutMs: number;
}

/** What was answered, whatever the status. */
export interface PanelResponse {
  readonly status: number;
  readonly text: string;
  /** Where a redirect leads. */
  readonly location?: string | undefined;
}

/** Makes one call. */
export type PanelFetch = (call: PanelCall, signal: AbortSignal) => Promise<PanelResponse>;

/**
 * Makes calls with a client; `headers` go along with each.
 *
 * What it returns throws a {@linkcode PanelError} when there is no answer in time, and the signal's
 * reason when that aborts.
 */
export function createPanelFetch(
  client: Pick<HttpClient, "request">,
  headers: readonly (readonly [string, string])[],
): PanelFetch {
  return async (call, signal) => {
    const { name, timeoutMs, ...rest } = call;
    const request = { ...rest, headers: [...headers, ...rest.headers] };
    try {
      const { status, text, headers } = await withTimeout(
        (signal) => client.request(request, { signal }),
        { timeoutMs, signal },
      );
      return { status, text, location: headers.get("location") };
    } catch (cause) {
      signal.throwIfAborted();
      const isTimeout = cause instanceof DOMException && cause.name === "TimeoutError";
      throw isTimeout ? timeoutError(name, timeoutMs) : connectionError(name, cause);
    }
  };
}

/** Whether a text is a page, as proxies and old panels send it. */
export function isHtml(text: string): boolean {
  return /^\s*</.test(text);
}

/** What an answer of another status than 200 means, for whichever call met it. */
export function statusError(name: string, answer: PanelResponse): PanelError {
  const { status, text } = answer;
  if (status >= 300 && status < 400) {
    return failure(name, "redirected", `it sends us to ${placeOf(answer.location ?? "")}`, status);
  }
  if (status === 401) {
    return failure(name, "unauthorized", "the panel does not know this token", status);
  }
  if (status === 407) {
    return failure(name, "unavailable", "the proxy wants another login (status 407)", status);
  }
  const kind = status === 400 || status === 500 ? "rejected" : "unavailable";
  const hint = status === 404 && !isJson(text) ? "; is the path of the panel's address right?" : "";
  return failure(name, kind, `status ${status}${wordsOf(text)}${hint}`, status);
}

/** Nothing came in time. */
export function timeoutError(name: string, timeoutMs: number): PanelError {
  return failure(name, "timeout", `no answer within ${timeoutMs / 1000} s`);
}

/** What went wrong before there was an answer; its words, but no cause, for that may hold the URL. */
export function connectionError(name: string, cause: unknown): PanelError {
  const kind = cause instanceof ResponseError ? RESPONSE_FAILURES[cause.kind] : "unreachable";
  // What is said of a line is whole without the runtime's own words below it.
  return failure(name, kind, cause instanceof DialError ? cause.message : describeError(cause));
}

const RESPONSE_FAILURES: Readonly<Record<ResponseError["kind"], PanelFailure>> = {
  closed: "unreachable",
  timeout: "timeout",
  malformed: "unreadable",
  "too long": "unreadable",
};

/** Where a redirect leads, without its query. */
function placeOf(location: string): string {
  const base = "http://panel";
  if (!URL.canParse(location, base)) return "an unreadable address";
  const { origin, pathname } = new URL(location, base);
  const place = origin === base ? pathname : origin + pathname;
  return place.slice(0, 200) + " (a login page in front of the panel?)";
}

/** What the panel says of its refusal, when it says it in JSON. */
function wordsOf(text: string): string {
  if (isHtml(text)) return " and a page of HTML";
  try {
    const { error, message }: Record<string, unknown> = { ...JSON.parse(text) };
    const words = [message, error].find((word) => typeof word === "string");
    return words === undefined ? "" : `, "${String(words).slice(0, 200)}"`;
  } catch {
    return "";
  }
}

function isJson(text: string): boolean {
  return /^\s*[{[]/.test(text);
}

function failure(
  name: string,
  kind: PanelFailure,
  reason: string,
  status?: number,
): PanelError {
  return new PanelError(`Cannot ${name}: ${reason}`, {
    failure: kind,
    ...(status === undefined ? {} : { status }),
  });
}
