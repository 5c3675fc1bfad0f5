/**
 * What is answered to a call.
 *
 * @module
 */

/** A whole answer, before it is written to a connection. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An answer in JSON, in the content type that the panel names. */
export function jsonAnswer(status: number, value: unknown): Answer {
  return {
    status,
    headers: { "content-type": "application/json; charset=utf-8" },
    body: JSON.stringify(value),
  };
}

/** An answer in HTML. */
export function htmlAnswer(status: number, body: string): Answer {
  return { status, headers: { "content-type": "text/html; charset=utf-8" }, body };
}

/** An answer in plain text. */
export function textAnswer(status: number, body: string): Answer {
  return { status, headers: { "content-type": "text/plain" }, body };
}
