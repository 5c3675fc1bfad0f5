import { PanelError, type PanelFailure } from "../errors.ts";
import { describeError } from "../log.ts";

/** No answer of a panel is as long; what is longer is cut off and refused. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** One call to a panel. */
export interface Exchange {
  /** What the log calls it: method and path, without the query. */
  readonly name: string;
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly body?: string;
  readonly timeoutMs: number;
}

/**
 * Makes one call and gives the answer's text.
 *
 * @throws {PanelError} When there is no answer in time, or none with status 200.
 * @throws The signal's reason when it aborts.
 */
export async function exchange(
  call: Exchange,
  options: { signal: AbortSignal; headers: Headers },
): Promise<string> {
  const { signal } = options;
  signal.throwIfAborted();
  const ended = new AbortController();
  const end = () => ended.abort();
  signal.addEventListener("abort", end, { once: true });
  const timer = setTimeout(end, call.timeoutMs);
  try {
    const response = await fetch(call.url, {
      method: call.method,
      headers: options.headers,
      ...(call.body === undefined ? {} : { body: call.body }),
      redirect: "manual",
      signal: ended.signal,
    });
    const text = await readBounded(response, call);
    if (response.status !== 200) throw refused(call, response, text);
    return text;
  } catch (cause) {
    if (cause instanceof PanelError) throw cause;
    signal.throwIfAborted();
    if (ended.signal.aborted) {
      throw failure(call, "timeout", `no answer within ${call.timeoutMs / 1000} s`);
    }
    // The runtime's own error quotes the URL with the token: its words go on, the object does not.
    throw failure(call, "unreachable", reasonOf(cause));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}

async function readBounded(response: Response, call: Exchange): Promise<string> {
  const length = Number(response.headers.get("content-length") ?? NaN);
  // A declared length holds, unless the body grows when it is unpacked.
  if (length <= MAX_ANSWER_BYTES && !response.headers.has("content-encoding")) {
    return await response.text();
  }
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_ANSWER_BYTES) {
      throw failure(call, "unreadable", `the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

function refused(call: Exchange, response: Response, text: string): PanelError {
  const { status } = response;
  if (status >= 300 && status < 400) {
    return failure(call, "redirected", `it sends us to ${placeOf(response)}`, { status });
  }
  if (status === 401) {
    return failure(call, "unauthorized", "the panel does not know this token", { status });
  }
  const kind = status === 400 || status === 500 ? "rejected" : "unavailable";
  return failure(call, kind, `status ${status}${wordsOf(text)}`, { status });
}

/** Where a redirect leads, without its query. */
function placeOf(response: Response): string {
  const location = response.headers.get("location") ?? "";
  if (!URL.canParse(location, response.url)) return "an unreadable address";
  const { origin, pathname } = new URL(location, response.url);
  return (origin + pathname).slice(0, 200) + " (a login page in front of the panel?)";
}

/** What the panel says of its refusal, when it says it in JSON. */
function wordsOf(text: string): string {
  if (/^\s*</.test(text)) return " and a page of HTML";
  try {
    const { error, message }: Record<string, unknown> = { ...JSON.parse(text) };
    const words = [message, error].find((word) => typeof word === "string");
    return words === undefined ? "" : `, "${String(words).slice(0, 200)}"`;
  } catch {
    return "";
  }
}

/** What the runtime says went wrong, without the URL that it puts around it. */
function reasonOf(cause: unknown): string {
  const text = describeError(cause);
  return /client error \([^)]*\): (.*)$/s.exec(text)?.[1] ?? text;
}

function failure(
  call: Exchange,
  kind: PanelFailure,
  reason: string,
  options: { status?: number } = {},
): PanelError {
  return new PanelError(`Cannot ${call.name}: ${reason}`, { failure: kind, ...options });
}
