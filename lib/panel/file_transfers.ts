import { DialError, ResponseError } from "../net/errors.ts";
import { type ByteSink, type ByteSource, streamRequest } from "../net/http_stream.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { connectionError, type DialOptions, statusError, timeoutError } from "./http_exchange.ts";
import { PanelError } from "./panel_error.ts";
import { authenticatedUrl, type PanelAccess } from "./authenticated_url.ts";

/** A transfer that the panel has opened, for one use. */
export interface TransferTicket {
  readonly id: string;
  readonly token: string;
}

/** Time without a byte after which a transfer is cancelled. */
const STALL_MS = 60_000;

/** Moves parts of files from and to the panel, by `/api/clients/transfer/…`. */
export class FileTransferClient {
  readonly #access: PanelAccess;
  readonly #options: DialOptions;

  constructor(access: PanelAccess, options: DialOptions) {
    this.#access = access;
    this.#options = options;
  }

  /**
   * Sends exactly the bytes of a source.
   *
   * @throws {PanelError} When the panel did not take them; or what the source throws.
   */
  async send(ticket: TransferTicket, source: ByteSource, signal: AbortSignal): Promise<void> {
    const text = await this.#request(ticket, { source, signal });
    // Proxies answer 200 with a page of their own.
    if (receivedBytes(text) === source.lengthBytes) return;
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
    { source, sink, signal }: { source?: ByteSource; sink?: ByteSink; signal: AbortSignal },
  ): Promise<string> {
    const { dialer, headers } = this.#options;
    const path = `/api/clients/transfer/${encodeURIComponent(id)}`;
    const name = `${source ? "send" : "receive"} a part of a file (POST ${path})`;
    const request = {
      method: "POST",
      url: authenticatedUrl(this.#access, path),
      headers: [
        ...headers,
        ["x-komari-transfer-token", token],
        ["content-type", "application/octet-stream"],
      ],
      source,
      sink,
    } as const;
    try {
      const answer = await streamRequest(dialer, request, { signal, stallMs: STALL_MS });
      if (answer.status === 200) return answer.text;
      throw statusError(name, { ...answer, location: answer.headers.get("location") });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ResponseError && error.kind === "timeout") {
        throw timeoutError(name, STALL_MS);
      }
      const isNetwork = error instanceof ResponseError || error instanceof DialError;
      throw isNetwork ? connectionError(name, error) : error;
    }
  }
}

/** The number of bytes that the panel has received, by its answer. */
function receivedBytes(text: string): unknown {
  return jsonFields(parseJson(text)).received;
}
