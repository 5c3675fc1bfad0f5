import type { ConnectionConfig } from "../config/config.ts";
import { NetDialer } from "../net/dialer.ts";
import type { SystemResolver } from "../net/dns.ts";
import { HttpClient } from "../net/http_client.ts";
import { USER_AGENT } from "../version.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { LearnedTokenPlace, type PanelAccess } from "./authentication.ts";
import { ClientV1 } from "./client_v1.ts";
import { ClientV2 } from "./client_v2.ts";
import { FileTransferClient } from "./file_transfers.ts";
import { createPanelFetch } from "./http_exchange.ts";
import { MessageLimit } from "./message_limit.ts";
import type { PanelObserver } from "./observer.ts";
import { OutageLog } from "./outages.ts";
import { PanelSender } from "./panel_sender.ts";
import { WebSocketOpener } from "./websocket_opener.ts";

/** The connection to one panel: its clients, and those who listen how it fares. */
export class PanelConnection {
  readonly clientV1: ClientV1;
  readonly clientV2: ClientV2;
  readonly opener: WebSocketOpener;
  readonly sender: PanelSender;
  readonly transfers: FileTransferClient;
  readonly acknowledgements = new Acknowledgements();
  readonly limit = new MessageLimit();
  /** The log of outages, and all others that listen. */
  readonly observers: readonly PanelObserver[];
  readonly #client: HttpClient;
  readonly #calls = new AbortController();

  /** @param system How names are resolved. */
  constructor(
    node: PanelAccess,
    config: ConnectionConfig,
    observers: readonly PanelObserver[],
    system?: SystemResolver,
  ) {
    const { acknowledgements } = this;
    const { compression: compresses, protocolVersion, tokenIn } = config;
    const access: PanelAccess = {
      get endpoint() {
        return node.endpoint;
      },
      get token() {
        return node.token;
      },
      tokenPlace: new LearnedTokenPlace(tokenIn),
    };
    const dialer = new NetDialer(config, system);
    const headers = [["user-agent", USER_AGENT] as const, ...config.headers];
    this.#client = new HttpClient({ dialer });
    const fetch = createPanelFetch(access, { client: this.#client, headers });
    this.clientV1 = new ClientV1(fetch);
    this.clientV2 = new ClientV2(fetch, { acknowledgements, compresses });
    this.opener = new WebSocketOpener(access, { dialer, headers });
    this.sender = new PanelSender(this, protocolVersion);
    this.transfers = new FileTransferClient(access, { dialer, headers });
    this.observers = [new OutageLog(), ...observers];
  }

  /** Aborts the calls in flight. */
  get calls(): AbortSignal {
    return this.#calls.signal;
  }

  /**
   * Makes a call, and tells the observers how it ended; whether it succeeded. An error after the calls
   * were aborted is no outcome.
   */
  async observe(name: string, call: () => Promise<void>): Promise<boolean> {
    let failure: unknown;
    try {
      await call();
    } catch (error) {
      if (this.calls.aborted) return false;
      failure = error;
    }
    for (const observer of this.observers) observer.onOutcome?.(failure, name);
    return failure === undefined;
  }

  /** Closes the idle connections for calls, which are likely to be dead when another is. */
  closeIdle(): void {
    this.#client.closeIdle();
  }

  /** Aborts the calls in flight, and closes the idle connections. */
  close(): void {
    this.#calls.abort();
    this.#client.close();
  }
}
