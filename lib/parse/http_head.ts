/** The head of an answer over HTTP/1.1. */
export interface ResponseHead {
  readonly status: number;
  /** `1.0` servers close when nothing is said. */
  readonly version: "1.0" | "1.1";
  /** By lower-case name; repeated ones are joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
}

/**
 * Reads the head of an answer, without the empty line that ends it.
 *
 * @throws {SyntaxError} When it is none, or its lengths contradict each other.
 */
export function parseResponseHead(text: string): ResponseHead {
  const [first = "", ...lines] = text.split(/\r?\n/);
  const status = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(first);
  if (status === null) {
    throw new SyntaxError(`Cannot parse an HTTP answer: it begins with ${quoted(first)}`);
  }
  const headers = new Map<string, string>();
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (field === null) throw new SyntaxError(`Cannot parse an HTTP header: ${quoted(line)}`);
    const [, name = "", value = ""] = field;
    const key = name.toLowerCase();
    const before = headers.get(key);
    if (before !== undefined && key === "content-length" && before !== value) {
      throw new SyntaxError("Cannot parse an HTTP answer: it has two lengths");
    }
    headers.set(key, before === undefined || before === value ? value : `${before}, ${value}`);
  }
  return { status: Number(status[2]), version: status[1] === "0" ? "1.0" : "1.1", headers };
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
