/** What a proxy says to `CONNECT`. */
export interface ConnectAnswer {
  status: number;
  /** Its own words for it, fit for a log; may be empty. */
  reason: string;
}

const REASON_LIMIT = 100;

/**
 * Reads the first line of the head that a proxy answers with.
 *
 * @throws {SyntaxError} When that is no HTTP.
 */
export function parseConnectAnswer(head: string): ConnectAnswer {
  const [, status, reason = ""] = /^HTTP\/1\.[01] +([1-9]\d\d)(?: +([^\r\n]*))?\r?\n/.exec(head) ??
    [];
  if (status === undefined) throw new SyntaxError("Cannot parse the proxy's answer: it is no HTTP");
  const printable = reason.replace(/[^\x20-\x7e]/g, "").slice(0, REASON_LIMIT);
  return { status: Number(status), reason: printable.trim() };
}
