import type { Seen } from "../diagnosis/cause.ts";
import { getLogger } from "../log/log.ts";
import { type LinkState, SHORT_CONNECTIONS_LIMIT, type SocketEnd } from "./link_machine.ts";
import type { PanelConnection } from "./panel_connection.ts";
import { PanelError } from "./panel_error.ts";
import { type Transport, transportName } from "./transport.ts";

/**
 * A WebSocket that is closed sooner is told to the observers. Two agents with one token close each other's
 * in turn: one of them tries again up to every 30 s, so long the other one's lasts.
 */
export const LASTING_MS = 60_000;

/**
 * Logs the first report and fallbacks to another transport, and tells the observers which failures of
 * the link are outages.
 *
 * Whether a failure is an outage depends on what the link does next, so most methods take the state of
 * the link that follows the failure, as `after`. One that a trial of another transport follows is kept
 * until the trial has ended.
 */
export class LinkLog {
  readonly #log = getLogger("panel");
  readonly #connection: Pick<PanelConnection, "observers" | "tell">;
  readonly #preferredVersion: 1 | 2;
  #isFirstLogged = false;
  /** The version that was found last. */
  #version: 1 | 2;
  /** Why the last WebSocket failed: logged if POST works in its place. */
  #socketFailure: PanelError | undefined;
  /** Why POST failed in both versions: logged if the last resort fails too. */
  #postFailure: unknown;
  /** WebSockets in a row that were closed soon, without a word. */
  #shortConnections = 0;
  /** When the current WebSocket has answered first. */
  #provenAtMs = 0;
  /** How long the last of them were open. */
  #openMs: readonly number[] = [];

  /** @param options `version`: the preferred version of the protocol. */
  constructor(
    connection: Pick<PanelConnection, "observers" | "tell">,
    options: { version: 1 | 2 },
  ) {
    this.#connection = connection;
    this.#preferredVersion = options.version;
    this.#version = options.version;
  }

  /** A report was accepted, which was sent in the state `before`. */
  accepted(transport: Transport, before: LinkState): void {
    if (transport.carrier === "POST" && transport.version === before.trying) {
      this.#postFound(transport, before);
    }
    if (!this.#isFirstLogged) {
      this.#log.info("First report accepted, by {transport}", {
        transport: transportName(transport),
      });
    }
    this.#isFirstLogged = true;
    this.#postFailure = undefined;
    if (transport.carrier === "WebSocket") {
      if (transport.version === 2) this.#version = 2;
      const nowMs = performance.now();
      if (!before.proven) this.#provenAtMs = nowMs;
      // After several that did not last, one answer is no proof that this one will.
      const lasts = nowMs - this.#provenAtMs >= LASTING_MS;
      if (this.#shortConnections < SHORT_CONNECTIONS_LIMIT || lasts) {
        this.#socketFailure = undefined;
        this.#notify(undefined, "WebSocket");
        this.#notify(undefined, "connections");
      }
    }
    this.#notify(undefined, "report");
  }

  /** A report failed; `isTrial`: it was sent to find out whether POST works. */
  reportFailed(error: unknown, { isTrial, after }: { isTrial: boolean; after: LinkState }): void {
    if (isTrial && after.lastResort) this.#postFailure = error;
    // Else the other version is tried.
    else if (!isTrial || after.trying === undefined) this.#notify(error, "report");
  }

  /** A WebSocket could not be opened. */
  dialFailed(error: PanelError, { after }: { after: LinkState }): void {
    this.#socketFailure = error;
    if (after.transport !== undefined) this.#logFallback(error);
    else if (after.trying === undefined) this.#notify(this.#postFailure ?? error, "report");
  }

  /** A WebSocket was closed. */
  socketClosed(
    reason: string,
    { end, durationMs, after }: { end: SocketEnd; durationMs: number; after: LinkState },
  ): void {
    const isUnexplained = end === "closed" && durationMs < LASTING_MS;
    this.#shortConnections = isUnexplained ? this.#shortConnections + 1 : 0;
    const openMs = [...this.#openMs, Math.round(durationMs)].slice(-SHORT_CONNECTIONS_LIMIT);
    this.#openMs = isUnexplained ? openMs : [];
    for (const observer of this.#connection.observers) {
      observer.onShortConnections?.(this.#shortConnections, this.#openMs);
    }
    const message = `Cannot keep the WebSocket: ${reason}`;
    const seen = { stage: "disconnected", error: message } as const;
    const error = new PanelError(message, { failure: "disconnected", seen });
    this.#socketFailure = error;
    if (this.#shortConnections >= SHORT_CONNECTIONS_LIMIT) this.#tellShortLived(message);
    else if (after.transport !== undefined) this.#logFallback(error);
    // After a flood POST is tried, and its outcome is logged, but for version 1, where POST does not stand
    // in for a WebSocket.
    else if (after.shortConnections < SHORT_CONNECTIONS_LIMIT || this.#version === 1) {
      this.#notify(error, "report");
    }
  }

  /** Several WebSockets in a row did not last: an outage of their own, whatever is reported meanwhile. */
  #tellShortLived(message: string): void {
    const [shortestMs, longestMs] = [Math.min(...this.#openMs), Math.max(...this.#openMs)];
    const shortLived = { count: this.#shortConnections, shortestMs, longestMs };
    const seen = { stage: "short-lived", error: message, shortLived } as const;
    this.#notify(new PanelError(message, { failure: "websocket blocked", seen }), "connections");
  }

  /** POST works, which was tried. */
  #postFound(transport: Transport, { shortConnections }: LinkState): void {
    const { version } = transport;
    if (version !== this.#version && version !== this.#preferredVersion) {
      this.#log.info(
        "The panel supports only version {version} of the protocol; reports are sent by {transport}",
        { version, transport: transportName(transport) },
      );
    }
    this.#version = version;
    const failure = this.#socketFailure;
    // A WebSocket that worked and was lost is not blocked; nor is one of version 1 that a panel does not
    // have any more.
    const isAvoided = shortConnections >= SHORT_CONNECTIONS_LIMIT &&
      this.#shortConnections < SHORT_CONNECTIONS_LIMIT;
    const isFallback = version === 2 && this.#preferredVersion === 2 &&
      (failure?.failure !== "disconnected" || isAvoided);
    if (isFallback && failure !== undefined) this.#logFallback(failure);
  }

  #logFallback({ message, seen }: PanelError): void {
    const text = `${message}; reports are sent by POST`;
    const blocked: Seen = { ...seen, stage: "websocket", error: message };
    this.#notify(
      new PanelError(text, { failure: "websocket blocked", seen: blocked }),
      "WebSocket",
    );
  }

  #notify(error: unknown, call: string): void {
    this.#connection.tell(error, call);
  }
}
