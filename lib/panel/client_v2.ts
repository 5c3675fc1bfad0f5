import type { Acknowledgements } from "./acknowledgements.ts";
import { isHtml } from "../diagnosis/page.ts";
import {
  CALL_TIMEOUT_MS,
  foreignAnswer,
  type PanelCall,
  type PanelFetch,
  type PanelResponse,
  statusError,
} from "./http_exchange.ts";
import { EventSplitter } from "../parse/event_splitter.ts";
import { CAPABILITIES, ORDER_BYTES } from "./orders.ts";
import {
  type PanelEvent,
  parsePanelEvent,
  parsePanelMessage,
  type RpcError,
  type RpcParams,
} from "./messages.ts";
import { PanelError } from "./panel_error.ts";
import { encodeJson } from "./json_body.ts";

const PATH = "/api/clients/v2/rpc";

/** The JSON-RPC code of an unknown method. */
const METHOD_NOT_FOUND = -32601;

/** A JSON-RPC call. */
export interface RpcRequest {
  readonly method: string;
  readonly params: RpcParams;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Converts a JSON-RPC error to the error of a call; `status` is that of its answer by POST. */
export function toPanelError(
  name: string,
  { code, text }: RpcError,
  status?: number,
): PanelError {
  const reason = text === "" ? `error ${code ?? "without a code"}` : `"${text}"`;
  const error = `Cannot ${name}: the panel answered ${reason}`;
  // By its code, too, where it has words.
  const seen = {
    stage: "panel",
    error: code === METHOD_NOT_FOUND && text !== "" ? `${error} (${code})` : error,
  } as const;
  return new PanelError(error, { failure: "rejected", code, status, seen });
}

/** A method that no panel has: a call of it changes nothing. */
export const UNKNOWN_METHOD = "agent.noop";

/** Whether a panel does not know the method that was called. */
export function isUnknownMethod(error: unknown): boolean {
  return error instanceof PanelError && error.code === METHOD_NOT_FOUND;
}

/** Version 2 of the panel's protocol by POST. */
export class ClientV2 {
  readonly #fetch: PanelFetch;
  readonly #acknowledgements: Acknowledgements;
  readonly #orderBytes: number;
  readonly #compresses: boolean;
  #lastId = 0;

  /** @param options `orderBytes`: the longest order that is read. */
  constructor(
    fetch: PanelFetch,
    { acknowledgements, compresses, orderBytes = ORDER_BYTES }: {
      acknowledgements: Acknowledgements;
      compresses: boolean;
      orderBytes?: number;
    },
  ) {
    this.#fetch = fetch;
    this.#acknowledgements = acknowledgements;
    this.#compresses = compresses;
    this.#orderBytes = orderBytes;
  }

  /** Sends a report, and gives the new events of the answer. @throws {PanelError} */
  async report(
    report: unknown,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<PanelEvent[]> {
    return await this.#callWithEvents({ method: "agent.report", params: { report }, ...options });
  }

  /** Waits for new events, up to 25 s. @throws {PanelError} */
  async pull(signal: AbortSignal): Promise<PanelEvent[]> {
    const params = { capabilities: CAPABILITIES };
    const request = { method: "agent.pull", params, timeoutMs: CALL_TIMEOUT_MS.pull, signal };
    return await this.#callWithEvents(request);
  }

  async #callWithEvents(request: RpcRequest): Promise<PanelEvent[]> {
    return this.#acknowledgements.add(
      await this.#acknowledgements.carry(
        request.params,
        (params) => this.call({ ...request, params }),
      ),
    );
  }

  /**
   * Whether the panel knows the token, by a call without an upgrade, which brings no node online.
   *
   * @throws {PanelError} When that is not clear from its answer.
   */
  async isTokenKnown(options: { timeoutMs: number; signal: AbortSignal }): Promise<boolean> {
    const { timeoutMs, signal } = options;
    const name = `check the token (GET ${PATH})`;
    const headers = [["accept", "application/json"]] as const;
    const call: PanelCall = { name, path: PATH, method: "GET", headers, timeoutMs };
    const answer = await this.#fetch(call, signal);
    // The token is looked at first, and then the upgrade is missed.
    if (answer.status === 400 && /^\s*\{/.test(answer.text)) return true;
    const error = statusError(name, answer);
    if (error.failure === "unauthorized") return false;
    throw isUnsupported(answer) ? foreignAnswer(name, answer) : error;
  }

  /** Makes a call, and gives the events of its answer. @throws {PanelError} When it is not accepted. */
  async call(request: RpcRequest): Promise<readonly PanelEvent[]> {
    const { method, params } = request;
    const message = { jsonrpc: "2.0", method, params, id: ++this.#lastId };
    return await this.#send(request, await encodeJson(message, this.#compresses));
  }

  async #send(
    request: RpcRequest,
    body: NonNullable<PanelCall["body"]>,
  ): Promise<readonly PanelEvent[]> {
    const isCompressed = this.#compresses && typeof body !== "string";
    let splitter: EventSplitter | undefined;
    const call: PanelCall = {
      name: `send ${request.method} (POST ${PATH})`,
      path: PATH,
      method: "POST",
      headers: [
        ["content-type", "application/json"],
        ...(isCompressed ? [["content-encoding", "gzip"] as const] : []),
      ],
      body,
      newSink: () => splitter = new EventSplitter(this.#orderBytes),
      timeoutMs: request.timeoutMs,
    };
    const response = await this.#fetch(call, request.signal);
    const answer = response.status === 200 && splitter !== undefined
      ? { ...response, text: splitter.rest }
      : response;
    // What is left of an answer with too many events came from a panel that has taken the call.
    if (splitter?.isFull !== true) checkResponse(answer, call);
    return (splitter?.events ?? []).flatMap((text) =>
      parsePanelEvent(text, this.#orderBytes) ?? []
    );
  }
}

/** @throws {PanelError} When an answer without its events is not that of a call that was accepted. */
function checkResponse(response: PanelResponse, { name }: PanelCall): void {
  const { status, text } = response;
  const message = status === 200 || status === 400 ? parsePanelMessage(text) : undefined;
  if (message?.kind === "answer") {
    if (message.error === undefined && status === 200) return;
    if (message.error !== undefined) throw toPanelError(name, message.error, status);
  }
  if (isUnsupported(response)) throw foreignAnswer(name, response);
  if (status !== 200) throw statusError(name, response);
  throw foreignAnswer(name, response);
}

/**
 * Whether an answer is not one of version 2. That answers 400 with JSON; a server that has left the
 * body of an earlier call unread takes it for the next one, and answers 400 or 501 in plain text.
 */
function isUnsupported({ status, text }: PanelResponse): boolean {
  if (status === 200) return isHtml(text);
  return [404, 405, 501].includes(status) || (status === 400 && /^\s*[^\s<{[]/.test(text));
}
