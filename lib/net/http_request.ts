import { quoteStart } from "../parse/bounded_text.ts";

/** An HTTP/1.1 request. */
export interface RequestMessage {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers: readonly (readonly [string, string])[];
  /** As text, or the parts of a long one. */
  readonly body?: string | readonly Uint8Array<ArrayBuffer>[];
  /** Set when an HTTP proxy forwards the request: the request line must hold the whole URL. */
  readonly forward?: { readonly authorization?: string } | undefined;
}

/**
 * Encodes a request without a body.
 *
 * @throws {TypeError} When a header name or value is invalid.
 */
export function encodeRequest(request: Omit<RequestMessage, "body">): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(encodeRequestHead(request, undefined));
}

/**
 * Encodes head and body: the head with the first part of the body, to be written at once, and the others.
 *
 * @throws {TypeError} When a header name or value is invalid.
 */
export function encodeRequestParts(request: RequestMessage): Uint8Array<ArrayBuffer>[] {
  const encoder = new TextEncoder();
  const { body = [] } = request;
  const [first, ...others] = typeof body === "string" ? [encoder.encode(body)] : body;
  if (first === undefined) return [encodeRequest(request)];
  const length = others.reduce((sum, part) => sum + part.length, first.length);
  const head = encoder.encode(encodeRequestHead(request, length));
  const start = new Uint8Array(head.length + first.length);
  start.set(head);
  start.set(first, head.length);
  return [start, ...others];
}

/**
 * Encodes the head alone, for a body that is written later.
 *
 * @throws {TypeError} When a header name or value is invalid.
 */
export function encodeRequestHead(request: RequestMessage, bodyLength: number | undefined): string {
  const { method, url, forward } = request;
  const path = url.pathname + url.search;
  const target = forward === undefined ? path : `http://${url.host}${path}`;
  const fields: (readonly [string, string])[] = [
    ["host", url.host],
    ["accept-encoding", "identity"],
    ...request.headers,
  ];
  if (bodyLength !== undefined || method === "POST") {
    fields.push(["content-length", String(bodyLength ?? 0)]);
  }
  if (forward?.authorization !== undefined) {
    fields.push(["proxy-authorization", forward.authorization]);
  }
  let text = `${method} ${target} HTTP/1.1\r\n`;
  for (const [name, value] of fields) {
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || /[\r\n\0]/.test(value)) {
      throw new TypeError(`Cannot send header ${quoteStart(name)}`);
    }
    text += `${name}: ${value}\r\n`;
  }
  return text + "\r\n";
}
