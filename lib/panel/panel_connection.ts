import type { Diagnosis } from "../diagnosis/cause.ts";
import { diagnoseFailure, placesOf, shapeOf } from "../diagnosis/diagnose.ts";
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
import { CALL_TIMEOUT_MS, createPanelFetch } from "./http_exchange.ts";
import { LONG_ORDER_BYTES, ORDER_BYTES } from "./orders.ts";
import { MessageLimit } from "./message_limit.ts";
import type { PanelObserver } from "./observer.ts";
import { OutageLog } from "./outages.ts";
import { failureOf, PanelError } from "./panel_error.ts";
import type { HostAndPort } from "../parse/proxy.ts";
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
  readonly #node: PanelAccess;
  readonly #config: ConnectionConfig;
  readonly #dialer: NetDialer;
  readonly #client: HttpClient;
  readonly #calls = new AbortController();
  /** The token of the last report that was accepted. */
  #acceptedToken: string | undefined;

  /** @param system How names are resolved. */
  constructor(
    node: PanelAccess,
    config: ConnectionConfig,
    observers: readonly PanelObserver[],
    system?: SystemResolver,
  ) {
    const { acknowledgements, limit } = this;
    const { compression: compresses, tokenIn, remoteControl } = config;
    const access: PanelAccess = {
      endpoint: node.endpoint,
      get token() {
        return node.token;
      },
      tokenPlace: new LearnedTokenPlace(tokenIn),
    };
    const dialer = new NetDialer(config, system);
    [this.#node, this.#config, this.#dialer] = [node, config, dialer];
    const orderBytes = remoteControl ? LONG_ORDER_BYTES : ORDER_BYTES;
    const headers = [["user-agent", USER_AGENT] as const, ...config.headers];
    this.#client = new HttpClient({ dialer });
    const fetch = createPanelFetch(access, { client: this.#client, headers, limit });
    this.clientV1 = new ClientV1(fetch);
    this.clientV2 = new ClientV2(fetch, { acknowledgements, compresses, orderBytes });
    this.opener = new WebSocketOpener(access, { dialer, headers, orderBytes });
    this.sender = new PanelSender(this);
    this.transfers = new FileTransferClient(access, { dialer, headers });
    this.observers = [new OutageLog(), ...observers];
  }

  /** The proxy on the way to the panel. */
  get proxy(): HostAndPort | undefined {
    return this.#dialer.proxyFor(new URL(this.#node.endpoint));
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
    this.tell(failure, name);
    return failure === undefined;
  }

  /** Tells the observers how a call has ended, and why, where that is known. */
  tell(error: unknown, call: string): void {
    if (error === undefined && call === "report") this.#acceptedToken = this.#node.token;
    const diagnosis = diagnosisOf(error, this.#node, {
      ...{ config: this.#config, dialer: this.#dialer },
      wasAccepted: this.#acceptedToken === this.#node.token,
      isPull: call === "pull",
    });
    for (const observer of this.observers) observer.onOutcome?.(error, call, diagnosis);
  }

  /**
   * Whether the panel accepts the token, by a call that changes nothing and brings no node online.
   *
   * @throws {PanelError} When that is not clear from its answer.
   * @throws The signal's reason.
   */
  async isTokenKnown(signal: AbortSignal): Promise<boolean> {
    const timeoutMs = CALL_TIMEOUT_MS.register;
    try {
      return await this.clientV2.isTokenKnown({ timeoutMs, signal });
    } catch (error) {
      if (failureOf(error) !== "unsupported protocol") throw error;
    }
    // Panels without version 2 are asked for the task list.
    try {
      await this.clientV1.fetchTasks(signal);
      return true;
    } catch (error) {
      if (failureOf(error) === "unauthorized") return false;
      throw error;
    }
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

/** The cause of a failed call; `undefined` where nothing was observed of it. */
export function diagnosisOf(
  error: unknown,
  { endpoint, token }: PanelAccess,
  { config, dialer, wasAccepted = false, isPull = false }: {
    config: ConnectionConfig;
    dialer: NetDialer;
    /** Whether the panel has accepted the token before. */
    wasAccepted?: boolean;
    isPull?: boolean;
  },
): Diagnosis | undefined {
  if (!(error instanceof PanelError) || error.seen === undefined) return undefined;
  const url = new URL(endpoint);
  const { headers, origins = new Map() } = config;
  return diagnoseFailure({ ...error.seen, wasAccepted, isPull }, {
    url,
    proxy: dialer.proxyFor(url),
    token: shapeOf(token),
    sends: headers.map(([name]) => name.toLowerCase()),
    places: placesOf(origins, url),
  });
}
