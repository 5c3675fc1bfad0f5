/** A request before its body. */
export interface RequestHead {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers: readonly (readonly [string, string])[];
  /** Absent for a request without a body. */
  readonly bodyLength?: number;
  /** Set when an HTTP proxy reads the request: it wants the whole URL. */
  readonly forward?: { readonly authorization?: string };
}

/**
 * The first bytes of a request over HTTP/1.1, as text.
 *
 * @throws {TypeError} When a header would break out of its line.
 */
export function requestHead(request: RequestHead): string {
  const { method, url, forward, bodyLength } = request;
  const path = url.pathname + url.search;
  const target = forward === undefined ? path : `http://${url.host}${path}`;
  const fields: (readonly [string, string])[] = [["host", url.host], ...request.headers];
  if (bodyLength !== undefined) fields.push(["content-length", String(bodyLength)]);
  if (forward?.authorization !== undefined) {
    fields.push(["proxy-authorization", forward.authorization]);
  }
  let text = `${method} ${target} HTTP/1.1\r\n`;
  for (const [name, value] of fields) {
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || /[\r\n\0]/.test(value)) {
      throw new TypeError(`Cannot send header ${JSON.stringify(name.slice(0, 40))}`);
    }
    text += `${name}: ${value}\r\n`;
  }
  return text + "\r\n";
}

/** A head and a body in one piece, to be written at once. */
export function requestBytes(
  head: string,
  body: string | Uint8Array<ArrayBuffer> | undefined,
): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  if (body === undefined || typeof body === "string") return encoder.encode(head + (body ?? ""));
  const start = encoder.encode(head);
  const whole = new Uint8Array(start.length + body.length);
  whole.set(start);
  whole.set(body, start.length);
  return whole;
}

/** How many bytes a body has. */
export function byteLength(body: string | Uint8Array<ArrayBuffer>): number {
  return typeof body === "string" ? new TextEncoder().encode(body).length : body.length;
}
