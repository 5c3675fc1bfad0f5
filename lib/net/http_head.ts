import { quoteStart } from "../parse/bounded_text.ts";
import { ResponseError } from "./errors.ts";

/** The head of an HTTP/1.1 response. */
export interface ResponseHead {
  readonly status: number;
  /** With `1.0` the connection closes unless a header says otherwise. */
  readonly version: "1.0" | "1.1";
  /** By lower-case name; repeated ones are joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
}

/**
 * Parses the lines of a response's head. Obsolete line folding is refused.
 *
 * @throws {SyntaxError} When it is malformed or has two lengths; the message quotes the start of the
 * first line or the name of the header.
 */
export function parseResponseHead([first = "", ...lines]: readonly string[]): ResponseHead {
  const [, minor, status] = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/.exec(first) ?? [];
  if (status === undefined) {
    throw new SyntaxError(`Cannot parse an HTTP answer: it begins with ${quoteStart(first)}`);
  }
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const key = line.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = line.slice(colon + 1).trim();
    // An intermediary may read a carriage return or NUL in another way.
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(key) || hasControls(value)) {
      throw new SyntaxError(`Cannot parse an HTTP header: ${quoteStart(key || line)}`);
    }
    const before = headers.get(key);
    if (before === undefined) {
      headers.set(key, value);
    } else if (key !== "content-length") {
      headers.set(key, `${before}, ${value}`);
    } else if (before !== value) {
      throw new SyntaxError("Cannot parse an HTTP answer: it has two lengths");
    }
  }
  return { status: Number(status), version: minor === "0" ? "1.0" : "1.1", headers };
}

function hasControls(text: string): boolean {
  // deno-lint-ignore no-control-regex -- they are searched for.
  return /[\x00-\x08\x0a-\x1f\x7f]/.test(text);
}

/** Whether the connection stays open after the body. */
export function isReusable({ headers, status, version }: ResponseHead): boolean {
  const connection = headers.get("connection")?.toLowerCase().split(/[\s,]+/) ?? [];
  const hasLength = headers.has("content-length");
  const hasCoding = headers.has("transfer-encoding");
  // With both, an intermediary may see another end (request smuggling).
  const isFramed = hasLength !== hasCoding || status === 204 || status === 304;
  const keeps = version === "1.1" || connection.includes("keep-alive");
  return keeps && isFramed && !connection.includes("close");
}

/**
 * Refuses a compressed body: every request asks for none, and a small one may become any size.
 *
 * @throws {ResponseError} When a head announces one.
 */
export function checkEncoding({ headers }: ResponseHead): void {
  const encoding = headers.get("content-encoding")?.toLowerCase() ?? "identity";
  if (encoding === "identity") return;
  throw malformed(`it has the encoding ${quoteStart(encoding)}, not identity`);
}

/** Makes the error for an answer that breaks the rules of HTTP. */
export function malformed(why: string): ResponseError {
  return new ResponseError(`the answer is malformed: ${why}`, { kind: "malformed" });
}
