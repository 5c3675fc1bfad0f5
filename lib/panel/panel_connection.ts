import type { Config } from "../config/config.ts";
import { NetDialer } from "../net/dialer.ts";
import { HttpClient } from "../net/http_client.ts";
import { USER_AGENT } from "../version.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { ClientV1 } from "./client_v1.ts";
import { ClientV2 } from "./client_v2.ts";
import { FileTransferClient } from "./file_transfers.ts";
import { createPanelFetch } from "./http_exchange.ts";
import { type LinkListener, type LinkSignals, PanelLink } from "./link.ts";
import type { PanelObserver } from "./observer.ts";
import { OutageLog } from "./outages.ts";
import { PanelSender } from "./panel_sender.ts";
import { WebSocketOpener } from "./websocket_opener.ts";
import type { PanelAccess } from "./authenticated_url.ts";

/** The connection to one panel: its clients, the link for reports, and the sender for the rest. */
export class PanelConnection {
  readonly clientV1: ClientV1;
  /** The log of outages, and all others that listen. */
  readonly observers: readonly PanelObserver[];
  readonly sender: PanelSender;
  readonly opener: WebSocketOpener;
  readonly transfers: FileTransferClient;
  readonly #config: Config;
  readonly #client: HttpClient;
  readonly #clientV2: ClientV2;
  readonly #acknowledgements = new Acknowledgements();
  readonly #phaseMs: number | undefined;

  /** @param options `phaseMs`: a time at which reports of all panels are due, if there are several. */
  constructor(
    access: PanelAccess,
    config: Config,
    { observers, phaseMs }: {
      observers: readonly PanelObserver[];
      phaseMs: number | undefined;
    },
  ) {
    this.#phaseMs = phaseMs;
    const dialer = new NetDialer(config);
    const headers = [["user-agent", USER_AGENT] as const, ...config.headers];
    const client = new HttpClient({ dialer });
    const fetch = createPanelFetch(client, headers);
    const acknowledgements = this.#acknowledgements;
    this.#config = config;
    this.#client = client;
    this.observers = [new OutageLog(), ...observers];
    this.clientV1 = new ClientV1(access, { fetch });
    this.#clientV2 = new ClientV2(access, {
      fetch,
      acknowledgements,
      compresses: config.compression,
    });
    this.sender = new PanelSender(
      { clientV1: this.clientV1, clientV2: this.#clientV2 },
      config.protocolVersion,
    );
    this.opener = new WebSocketOpener(access, { dialer, headers });
    this.transfers = new FileTransferClient(access, { dialer, headers });
  }

  /** Creates the link that reports are sent by. */
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
      phaseMs: this.#phaseMs,
      clientV1: this.clientV1,
      clientV2: this.#clientV2,
      sender: this.sender,
      acknowledgements: this.#acknowledgements,
      dropIdleConnections: () => this.#client.closeIdle(),
      opener: this.opener,
      observers: this.observers,
      ...listener,
    }, signals);
  }

  /** Closes the idle connections. */
  close(): void {
    this.#client.close();
  }
}
