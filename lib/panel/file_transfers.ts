import { reasonOf } from "../diagnosis/page.ts";
import { DialError, ResponseError } from "../net/errors.ts";
import { type ByteSink, type StreamedBody, streamRequest } from "../net/http_stream.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import {
  connectionError,
  type DialOptions,
  type PanelResponse,
  statusError,
} from "./http_exchange.ts";
import { PanelError } from "./panel_error.ts";
import { authenticatedTarget, type PanelAccess } from "./authentication.ts";

/** A transfer that the panel has opened, for one use. */
export interface TransferTicket {
  readonly id: string;
  readonly token: string;
}

/** Time without a byte after which a transfer is cancelled; a slow disk behind the panel may need it. */
const STALL_MS = 3 * 60_000;

/**
 * The names of the statuses that panels look for between blanks: ` 404 ` ends a download, and after
 * ` 502 ` its parts become smaller.
 */
const STATUS_NAMES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/**
 * Moves parts of files from and to the panel, by `/api/clients/transfer/…`.
 *
 * The panel gets the errors back in answers to its requests, and decides by their words whether it
 * tries again and with what size: `transferRefusal()` and `transferFailure()` have them.
 */
export class FileTransferClient {
  readonly #access: PanelAccess;
  readonly #options: DialOptions;

  constructor(access: PanelAccess, options: DialOptions) {
    this.#access = access;
    this.#options = options;
  }

  /**
   * Sends exactly the bytes of a body.
   *
   * @throws {PanelError} When the panel did not take them; or what the body throws.
   */
  async send(ticket: TransferTicket, body: StreamedBody, signal: AbortSignal): Promise<void> {
    const answer = jsonFields(parseJson(await this.#request(ticket, { body, signal })));
    // Panels that grew from Komari say no number. Proxies answer 200 with a page of their own.
    if (answer.received === body.lengthBytes || answer.status === "ok") return;
    throw new PanelError("Cannot send a part of a file: the answer is not a panel's", {
      failure: "unreadable",
    });
  }

  /**
   * Receives exactly `sink.lengthBytes` bytes.
   *
   * @throws {PanelError} When the panel sent another number of bytes; or what the sink throws.
   */
  async receive(ticket: TransferTicket, sink: ByteSink, signal: AbortSignal): Promise<void> {
    await this.#request(ticket, { sink, signal });
  }

  async #request(
    { id, token }: TransferTicket,
    { body, sink, signal }: { body?: StreamedBody; sink?: ByteSink; signal: AbortSignal },
  ): Promise<string> {
    const { dialer, headers } = this.#options;
    const path = `/api/clients/transfer/${encodeURIComponent(id)}`;
    const name = `${body ? "send" : "receive"} a part of a file (POST ${path})`;
    const target = authenticatedTarget(this.#access, path);
    const request = {
      method: "POST",
      url: target.url,
      headers: [
        ...headers,
        ...target.headers,
        ["x-komari-transfer-token", token],
        ["content-type", "application/octet-stream"],
      ],
      body,
      sink,
    } as const;
    try {
      const answer = await streamRequest(dialer, request, { signal, stallMs: STALL_MS });
      if (answer.status === 200) return answer.text;
      throw transferRefusal(name, answer);
    } catch (error) {
      const isNetwork = error instanceof ResponseError || error instanceof DialError;
      throw isNetwork ? transferFailure(name, error) : error;
    }
  }
}

/** The error for a transfer that was answered with another status than 200. */
function transferRefusal(name: string, answer: PanelResponse): PanelError {
  const error = statusError(name, answer);
  const { status } = answer;
  const statusName = STATUS_NAMES[status];
  const words = status === 413
    // Without a blank behind it, which would end the download instead of making its parts smaller.
    ? "status 413: the part is too large"
    : statusName && `returned ${status} ${statusName}${reasonOf(answer.text)}`;
  if (words === undefined) return error;
  return new PanelError(`Cannot ${name}: ${words}`, { failure: error.failure, status });
}

/** The error for a transfer that was not answered, or not whole. */
function transferFailure(name: string, error: ResponseError | DialError): PanelError {
  const kind = error instanceof ResponseError ? error.kind : undefined;
  if (kind === "timeout") {
    const words = `timeout: no byte moved for ${STALL_MS / 60_000} minutes`;
    return new PanelError(`Cannot ${name}: ${words}`, { failure: kind });
  }
  if (kind !== "closed") return connectionError(name, error);
  const words = `unexpected EOF: ${error.message}`;
  return new PanelError(`Cannot ${name}: ${words}`, { failure: "unreachable" });
}
