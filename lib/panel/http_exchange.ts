import { delay } from "@std/async/delay";
import type { Seen, SeenAnswer, Stage } from "../diagnosis/cause.ts";
import { isHtml, reasonOf, redirectPlace } from "../diagnosis/page.ts";
import { describeError, getLogger, roundMs } from "../log/log.ts";
import type { Dialer } from "../net/byte_stream.ts";
import type { BodySink } from "../net/buffered_reader.ts";
import { DialError, type DialStage, ResponseError } from "../net/errors.ts";
import type { HttpClient, HttpRequest } from "../net/http_client.ts";
import { isTimeout, withTimeout } from "../async/timeout.ts";
import { type AuthenticatedTarget, callAuthenticated, type PanelAccess } from "./authentication.ts";
import type { MessageLimit } from "./message_limit.ts";
import { PanelError, type PanelFailure } from "./panel_error.ts";

/** How long the panel has to answer a call, in milliseconds, over whatever transport. */
export const CALL_TIMEOUT_MS = {
  /** Up to 1.4 the panel may take 5 s, since it looks up the country. */
  basicInfo: 20_000,
  probeResult: 10_000,
  commandResult: 30_000,
  /** Up to 4 MiB of output, by a slow uplink. */
  longCommandResult: 120_000,
  /** The list of a large folder takes a while. */
  fileResult: 30_000,
  startupConfig: 10_000,
  tasks: 10_000,
  /** The panel answers after 25 s when it has no events. */
  pull: 40_000,
  register: 30_000,
} as const;

/** Time for calls in flight when the agent stops, in milliseconds. */
export const STOP_GRACE_MS = 500;

/**
 * Time for the results of commands when the agent stops, which nothing sends again, in milliseconds: a
 * quiet machine needs 50, and OpenRC gives the process 5 s to end.
 */
export const STOP_RESULTS_MS = 3_000;

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
export type PanelResponse = SeenAnswer;

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
    let stage: Stage = "silent";
    const onStage = (reached: DialStage | undefined) => stage = reached ?? "silent";
    try {
      const { status, text, headers } = await withTimeout(
        (signal) => client.request(request, { signal, onStage }),
        { timeoutMs, signal },
      );
      log.debug("Status {status} in {ms} ms: {call}, {sentBytes} bytes sent", {
        event: "call",
        call: name,
        status,
        ms: roundMs(performance.now() - startedAtMs),
        sentBytes: [rest.body ?? []].flat().reduce((sum, { length }) => sum + length, 0),
      });
      await pauseAfter(text.length + sunkBytes, signal);
      return { status, text, headers };
    } catch (cause) {
      signal.throwIfAborted();
      await pauseAfter(sunkBytes, signal);
      throw isTimeout(cause) ? timeoutError(name, timeoutMs, stage) : connectionError(name, cause);
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

/** Creates the error for a response with another status than 200. */
export function statusError(name: string, answer: PanelResponse): PanelError {
  const { status, text, headers } = answer;
  // A panel says so in JSON.
  if (status === 401 && !isHtml(text) && !headers.has("www-authenticate")) {
    const reason = "the panel does not know this token";
    return failure(name, "unauthorized", { stage: "token", error: reason, answer });
  }
  const retryAfterMs = status === 429 ? toRetryAfterMs(headers.get("retry-after")) : undefined;
  const isRedirect = status >= 300 && status < 400;
  const error = isRedirect
    ? `redirected to ${redirectPlace(headers.get("location") ?? "")}`
    : `status ${status}${reasonOf(text)}`;
  const seen = { stage: "answer", error, answer } as const;
  const kind = status === 400 || status === 500 ? "rejected" : "unavailable";
  return failure(name, isRedirect ? "redirected" : kind, seen, retryAfterMs);
}

/** Creates the error for an answer that is no panel's, or that of another version of the protocol. */
export function foreignAnswer(name: string, answer: PanelResponse): PanelError {
  const { status, text } = answer;
  const what = isHtml(text) ? "a page of HTML" : status === 200 ? "no panel's" : `status ${status}`;
  const seen = { stage: "answer", error: `the answer is ${what}`, answer } as const;
  const isReadable = isHtml(text) || status !== 200;
  return failure(name, isReadable ? "unsupported protocol" : "unreadable", seen);
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
export function timeoutError(
  name: string,
  timeoutMs: number,
  stage: Stage = "silent",
): PanelError {
  return failure(name, "timeout", { stage, error: `no answer within ${timeoutMs / 1000} s` });
}

/** Creates the error for a failed connection; without a cause, which may hold the URL. */
export function connectionError(name: string, cause: unknown): PanelError {
  const kind = cause instanceof ResponseError ? RESPONSE_FAILURES[cause.kind] : "unreachable";
  const stage = cause instanceof DialError ? cause.stage : kind === "timeout" ? "silent" : "closed";
  // The message of a DialError is complete without the runtime's own below it.
  const error = cause instanceof DialError ? cause.message : describeError(cause);
  return failure(name, kind, { stage, error });
}

const RESPONSE_FAILURES: Readonly<Record<ResponseError["kind"], PanelFailure>> = {
  closed: "unreachable",
  timeout: "timeout",
  malformed: "unreadable",
  "too long": "unreadable",
};

function failure(
  name: string,
  kind: PanelFailure,
  seen: Seen,
  retryAfterMs?: number,
): PanelError {
  const status = seen.answer?.status;
  const options = { failure: kind, seen, retryAfterMs, ...status !== undefined && { status } };
  return new PanelError(`Cannot ${name}: ${seen.error}`, options);
}
