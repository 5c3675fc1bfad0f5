import { quoteStart } from "../parse/bounded_text.ts";

/** The head of an HTTP/1.1 response. */
export interface ResponseHead {
  readonly status: number;
  /** With `1.0` the connection closes unless a header says otherwise. */
  readonly version: "1.0" | "1.1";
  /** By lower-case name; repeated ones are joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
}

const LF = 10;
const CR = 13;

/** Finds the offset behind a head, searching from `from` on; -1 when it is incomplete. */
export function findHeadEnd(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    const next = bytes[at + 1] === CR ? at + 2 : at + 1;
    if (bytes[next] === LF) return next + 1;
  }
  return -1;
}

/**
 * Parses the head of a response, with or without the empty line that ends it.
 *
 * Lines may end in LF alone. Obsolete line folding is refused.
 *
 * @throws {SyntaxError} When it is malformed or has two lengths; the message quotes the start of the
 * first line or the name of the header.
 */
export function parseResponseHead(text: string): ResponseHead {
  const [first = "", ...lines] = text.replace(/(?:\r?\n){1,2}$/, "").split(/\r?\n/);
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
