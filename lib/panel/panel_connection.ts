/**
 * Puts together what leads to the panel: lines, calls, WebSockets, and the link over them.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { LineDialler } from "../net/dialer.ts";
import { HttpClient } from "../net/http_client.ts";
import type { Socket } from "../net/websocket.ts";
import { USER_AGENT } from "../version.ts";
import { HttpPanel, type PanelAccess } from "./client_v1.ts";
import { RpcPost } from "./client_v2.ts";
import { exchanger } from "./http_exchange.ts";
import { type LinkListener, type LinkSignals, PanelLink } from "./link.ts";
import { type OutcomeListener, PanelLog } from "./outages.ts";
import { SocketDoor } from "./websocket_opener.ts";

/** Everything that leads to one panel. */
export class Connection {
  readonly http: HttpPanel;
  readonly log: PanelLog;
  readonly #config: Config;
  readonly #client: HttpClient;
  readonly #rpc: RpcPost;
  readonly #door: SocketDoor;

  constructor(access: PanelAccess & OutcomeListener, config: Config) {
    const dialler = new LineDialler(config);
    const headers = [["user-agent", USER_AGENT] as const, ...config.headers];
    const client = new HttpClient({ dialler });
    const exchange = exchanger(client, headers);
    this.#config = config;
    this.#client = client;
    this.log = new PanelLog(access);
    this.http = new HttpPanel(access, { exchange });
    this.#rpc = new RpcPost(access, { exchange, compresses: config.compression });
    this.#door = new SocketDoor(access, { dialler, headers });
  }

  /** Makes the link that reports go by. */
  openLink(listener: LinkListener, signals: LinkSignals): PanelLink {
    const { intervalSeconds, transport, protocolVersion, ...config } = this.#config;
    return new PanelLink({
      settings: {
        httpOnly: transport === "http",
        version: protocolVersion,
        remoteControl: config.remoteControl,
        reconnectMs: config.reconnectIntervalSeconds * 1000,
      },
      intervalMs: intervalSeconds === undefined ? undefined : intervalSeconds * 1000,
      http: this.http,
      rpc: this.#rpc,
      door: this.#door,
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
  async dialTerminal(requestId: string, signal: AbortSignal): Promise<Socket | undefined> {
    const purpose = { terminal: requestId };
    try {
      return await this.#door.open(purpose, signal);
    } catch (cause) {
      signal.throwIfAborted();
      const { error } = this.#door.troubleOf(purpose, cause);
      const isGone = error.status === 404 && error.message.includes("Session not found");
      if (isGone) return undefined;
      throw error;
    }
  }

  /** Ends the connections that are kept for later calls. */
  close(): void {
    this.#client.close();
  }
}
