import type { PanelAccess } from "./client_v1.ts";
import {
  isHtml,
  type PanelCall,
  type PanelFetch,
  type PanelResponse,
  statusError,
} from "./http_exchange.ts";
import { encodeRpcCall, type PanelEvent, parsePanelMessage, type RpcError } from "./messages.ts";
import { PanelError } from "./panel_error.ts";

/** So many events are remembered; a panel keeps 128 for a node. */
const REMEMBERED = 1024;

/**
 * Which events came by POST, so that each is dealt with once, and which of them the panel has yet
 * to be told of.
 */
export class Acknowledgements {
  readonly #seen = new Set<string>();
  readonly #pending = new Set<string>();

  /** What goes into the next report or pull: ids of events that the panel may still repeat. */
  get due(): string[] {
    return [...this.#pending];
  }

  /** The panel has answered a call that carried these. */
  confirm(ids: readonly string[]): void {
    for (const id of ids) this.#pending.delete(id);
  }

  /** Takes note of events; those that are new. */
  add(events: readonly PanelEvent[]): PanelEvent[] {
    const fresh: PanelEvent[] = [];
    for (const event of events) {
      const { id } = event;
      if (!this.#seen.has(id)) fresh.push(event);
      this.#pending.add(id);
      // Set again, so that what comes again is forgotten last.
      this.#seen.delete(id);
      this.#seen.add(id);
    }
    forgetOldest(this.#seen);
    forgetOldest(this.#pending);
    return fresh;
  }
}

function forgetOldest(ids: Set<string>): void {
  for (const id of ids) {
    if (ids.size <= REMEMBERED) return;
    ids.delete(id);
  }
}

/** The panel has answered a call with an error. */
export function toPanelError(name: string, { code, text }: RpcError): PanelError {
  const words = text === "" ? `error ${code ?? "without a word"}` : `"${text}"`;
  return new PanelError(`Cannot ${name}: the panel says ${words}`, {
    failure: "rejected",
    ...(code === undefined ? {} : { code }),
  });
}

const PATH = "/api/clients/v2/rpc";

/** Smaller bodies hardly shrink. */
const WORTH_COMPRESSING_BYTES = 256;

/** What a panel is told that this agent can do. */
const CAPABILITIES = [
  "exec",
  "ping",
  "message",
  "event",
  "terminal",
  "file",
  "startup_config",
  "switch_version",
];

/** The panel answers a pull after 25 s when it has nothing to say. */
const PULL_TIMEOUT_MS = 40_000;

/** One call of JSON-RPC. */
export interface RpcRequest {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Version 2 of the panel's protocol by POST, where WebSockets don't get through. */
export class ClientV2 {
  readonly #access: PanelAccess;
  readonly #exchange: PanelFetch;
  readonly #acknowledgements = new Acknowledgements();
  #compresses: boolean;
  #lastId = 0;

  constructor(access: PanelAccess, options: { exchange: PanelFetch; compresses: boolean }) {
    this.#access = access;
    this.#exchange = options.exchange;
    this.#compresses = options.compresses;
  }

  /**
   * Makes a call that the panel has no events to answer with.
   *
   * @throws {PanelError} When the panel did not take it.
   */
  async call(request: RpcRequest): Promise<void> {
    await this.#call(request);
  }

  /** Sends a report; the events that came with the answer and are new. @throws {PanelError} */
  async report(
    report: unknown,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<PanelEvent[]> {
    return await this.#withEvents({ method: "agent.report", params: { report }, ...options });
  }

  /** Waits for events, up to 25 s; those that are new. @throws {PanelError} */
  async pull(signal: AbortSignal): Promise<PanelEvent[]> {
    const params = { capabilities: CAPABILITIES };
    const request = { method: "agent.pull", params, timeoutMs: PULL_TIMEOUT_MS, signal };
    return await this.#withEvents(request);
  }

  async #withEvents(request: RpcRequest): Promise<PanelEvent[]> {
    const told = this.#acknowledgements.due;
    const params = told.length === 0 ? request.params : { ...request.params, ack_event_ids: told };
    const events = await this.#call({ ...request, params });
    this.#acknowledgements.confirm(told);
    return this.#acknowledgements.add(events);
  }

  async #call(request: RpcRequest): Promise<readonly PanelEvent[]> {
    const text = encodeRpcCall(request.method, request.params, ++this.#lastId);
    if (!this.#compresses || text.length < WORTH_COMPRESSING_BYTES) {
      return await this.#send(request, text);
    }
    try {
      return await this.#send(request, await gzip(text));
    } catch (error) {
      if (!(error instanceof PanelError) || !isUnread(error)) throw error;
      // Something on the way may not hand on what is compressed; the panel itself does take it.
      const events = await this.#send(request, text);
      this.#compresses = false;
      return events;
    }
  }

  async #send(
    request: RpcRequest,
    body: string | Uint8Array<ArrayBuffer>,
  ): Promise<readonly PanelEvent[]> {
    const { endpoint, token } = this.#access;
    const packed = typeof body !== "string";
    const call: PanelCall = {
      name: `send ${request.method} (POST ${PATH})`,
      url: `${endpoint}${PATH}?token=${encodeURIComponent(token)}`,
      method: "POST",
      headers: [
        ["content-type", "application/json"],
        ...(packed ? [["content-encoding", "gzip"] as const] : []),
      ],
      body,
      timeoutMs: request.timeoutMs,
    };
    return readAnswer(await this.#exchange(call, request.signal), call);
  }
}

function readAnswer(answer: PanelResponse, { name }: PanelCall): readonly PanelEvent[] {
  const { status, text } = answer;
  const message = status === 200 || status === 400 ? parsePanelMessage(text) : undefined;
  if (message?.kind === "answer") {
    if (message.error === undefined && status === 200) return message.events;
    if (message.error !== undefined) throw toPanelError(name, message.error);
  }
  if (status === 404 || status === 405 || (status === 200 && isHtml(text))) {
    const what = isHtml(text) ? "a page of HTML" : `status ${status}`;
    throw new PanelError(`Cannot ${name}: the answer is ${what}, not a panel's of version 2`, {
      failure: "unsupported protocol",
      status,
    });
  }
  if (status !== 200) throw statusError(name, answer);
  throw new PanelError(`Cannot ${name}: the answer is not a panel's`, { failure: "unreadable" });
}

/** The panel, or what stands before it, could not make sense of a body. */
function isUnread({ failure, code, status }: PanelError): boolean {
  return (failure === "rejected" && (code === -32700 || code === undefined)) || status === 415;
}

async function gzip(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}
