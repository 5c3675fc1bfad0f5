/**
 * Puts together what leads to the panel: lines, calls, WebSockets, and the link over them.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { NetDialer } from "../net/dialer.ts";
import { HttpClient } from "../net/http_client.ts";
import type { WebSocketConnection } from "../net/websocket.ts";
import { USER_AGENT } from "../version.ts";
import { ClientV1, type PanelAccess } from "./client_v1.ts";
import { ClientV2 } from "./client_v2.ts";
import { FileTransferClient } from "./file_transfers.ts";
import { createPanelFetch } from "./http_exchange.ts";
import { type LinkListener, type LinkSignals, PanelLink } from "./link.ts";
import { type OutcomeListener, PanelLog } from "./outages.ts";
import { PanelError } from "./panel_error.ts";
import type { WireFileResult } from "./protocol.ts";
import { WebSocketOpener } from "./websocket_opener.ts";

/** The list of a large folder takes a while. */
const ANSWER_MS = 30_000;

/** JSON-RPC error of a panel that does not wait for an answer any more, or has it already. */
const NOT_AWAITED = -32004;

/** Everything that leads to one panel. */
export class PanelConnection {
  readonly clientV1: ClientV1;
  readonly log: PanelLog;
  readonly transfers: FileTransferClient;
  readonly #config: Config;
  readonly #client: HttpClient;
  readonly #rpc: ClientV2;
  readonly #opener: WebSocketOpener;

  constructor(access: PanelAccess & OutcomeListener, config: Config) {
    const dialer = new NetDialer(config);
    const headers = [["user-agent", USER_AGENT] as const, ...config.headers];
    const client = new HttpClient({ dialer });
    const exchange = createPanelFetch(client, headers);
    this.#config = config;
    this.#client = client;
    this.log = new PanelLog(access);
    this.clientV1 = new ClientV1(access, { exchange });
    this.#rpc = new ClientV2(access, { exchange, compresses: config.compression });
    this.#opener = new WebSocketOpener(access, { dialer, headers });
    this.transfers = new FileTransferClient(access, { dialer, headers });
  }

  /** Makes the link that reports go by. */
  openLink(listener: LinkListener, signals: LinkSignals): PanelLink {
    const { intervalSeconds, transport, protocolVersion, ...config } = this.#config;
    return new PanelLink({
      settings: {
        noWebSocket: transport === "http",
        version: protocolVersion,
        remoteControl: config.remoteControl,
        reconnectMs: config.reconnectIntervalSeconds * 1000,
      },
      intervalMs: intervalSeconds === undefined ? undefined : intervalSeconds * 1000,
      clientV1: this.clientV1,
      clientV2: this.#rpc,
      opener: this.#opener,
      log: this.log,
      ...listener,
    }, signals);
  }

  /**
   * Opens the WebSocket of a terminal; `undefined` when the panel has no such session, since its
   * user has gone.
   *
   * @throws {PanelError} When it can't be opened.
   */
  async dialTerminal(
    requestId: string,
    signal: AbortSignal,
  ): Promise<WebSocketConnection | undefined> {
    const purpose = { terminal: requestId };
    try {
      return await this.#opener.open(purpose, signal);
    } catch (cause) {
      signal.throwIfAborted();
      const { error } = this.#opener.toOpenFailure(purpose, cause);
      const isGone = error.status === 404 && error.message.includes("Session not found");
      if (isGone) return undefined;
      throw error;
    }
  }

  /**
   * Sends the answer to a file request. One that the panel waits for no more is dropped.
   *
   * @throws {PanelError} When the panel has not accepted it.
   */
  async sendFileResult(result: WireFileResult, signal: AbortSignal): Promise<void> {
    await this.#sendAnswer("agent.file.result", { ...result }, signal);
  }

  /**
   * Sends the configuration that the panel has asked for. One that it waits for no more is dropped.
   *
   * @throws {PanelError} When the panel has not accepted it.
   */
  async sendStartupConfig(
    { requestId, config }: { requestId: string; config: Readonly<Record<string, unknown>> },
    signal: AbortSignal,
  ): Promise<void> {
    const params = { request_id: requestId, config };
    await this.#sendAnswer("agent.startupConfig.result", params, signal);
  }

  /** Ends the connections that are kept for later calls. */
  close(): void {
    this.#client.close();
  }

  async #sendAnswer(
    method: string,
    params: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#rpc.call({ method, params, timeoutMs: ANSWER_MS, signal });
    } catch (error) {
      if (!(error instanceof PanelError) || error.code !== NOT_AWAITED) throw error;
    }
  }
}
