/** The head of an answer over HTTP/1.1. */
export interface ResponseHead {
  readonly status: number;
  /** `1.0` servers close when nothing is said. */
  readonly version: "1.0" | "1.1";
  /** By lower-case name; repeated ones are joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
}

const LF = 10;
const CR = 13;

/** Where the bytes behind a head begin, its end sought from `from` on; -1 when it has none yet. */
export function findHeadEnd(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    const next = bytes[at + 1] === CR ? at + 2 : at + 1;
    if (bytes[next] === LF) return next + 1;
  }
  return -1;
}

/**
 * Reads the head of an answer, with or without the empty line that ends it.
 *
 * Lines may end in LF alone. A header that goes on in the next line is refused, since nobody sends
 * it in good faith any more.
 *
 * @throws {SyntaxError} When it is none, or its lengths contradict each other; the message quotes
 * the start of the first line or the header's name.
 */
export function parseResponseHead(text: string): ResponseHead {
  const [first = "", ...lines] = text.replace(/(?:\r?\n){1,2}$/, "").split(/\r?\n/);
  const [, minor, status] = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/.exec(first) ?? [];
  if (status === undefined) {
    throw new SyntaxError(`Cannot parse an HTTP answer: it begins with ${quoted(first)}`);
  }
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const key = line.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = line.slice(colon + 1).trim();
    // A carriage return or NUL may mean something else to whoever is on the way.
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(key) || hasControls(value)) {
      throw new SyntaxError(`Cannot parse an HTTP header: ${quoted(key || line)}`);
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
  // deno-lint-ignore no-control-regex -- they are what is looked for.
  return /[\x00-\x08\x0a-\x1f\x7f]/.test(text);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
