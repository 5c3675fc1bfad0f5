/** As much of an HTTP answer's head as decides whether it was a success. */
export interface HttpHead {
  /** Status code, 100 to 599. */
  status: number;
  /** The `Location` header, as it was sent. */
  location?: string;
}

/**
 * Reads the head of an HTTP/1 answer: the status line and the headers, without the empty line.
 *
 * @throws {SyntaxError} When the first line is no status line; the message quotes it.
 */
export function parseHttpHead(text: string): HttpHead {
  const end = text.indexOf("\n");
  const first = (end < 0 ? text : text.slice(0, end)).trimEnd();
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/.exec(first)?.[1];
  if (status === undefined) {
    throw new SyntaxError(
      `Cannot parse HTTP answer: no status in ${JSON.stringify(first.slice(0, 80))}`,
    );
  }
  const location = end < 0 ? undefined : /^location:(.*)$/im.exec(text.slice(end + 1))?.[1]?.trim();
  return { status: Number(status), ...(location ? { location } : {}) };
}
