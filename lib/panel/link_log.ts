import { getLogger } from "../log/log.ts";
import { SHORT_CONNECTION_MS, SHORT_CONNECTIONS_LIMIT } from "./link_machine.ts";
import type { PanelObserver } from "./observer.ts";
import { PanelError } from "./panel_error.ts";
import { type Transport, transportName } from "./transport.ts";

/**
 * Logs the first report and fallbacks to another transport, and decides which failures of the link
 * count as outages for its observers.
 */
export class LinkLog {
  readonly #log = getLogger("panel");
  readonly #observers: readonly PanelObserver[];
  readonly #preferredVersion: 1 | 2;
  #isFirstLogged = false;
  /** The version that was found last. */
  #version: 1 | 2;
  /** The failure of the last WebSocket, logged only if POST works. */
  #socketError: PanelError | undefined;
  /** The failure of POST where a WebSocket of version 1 is the last resort, logged if that fails too. */
  #postError: unknown;
  /** WebSockets in a row that did not last. */
  #shortConnections = 0;
  /** Reports that the current WebSocket has answered, after several that did not last. */
  #answers = 0;

  /** @param options `version`: the preferred version of the protocol. */
  constructor(observers: readonly PanelObserver[], options: { version: 1 | 2 }) {
    this.#observers = observers;
    this.#preferredVersion = options.version;
    this.#version = options.version;
  }

  /** A report was accepted. */
  accepted(transport: Transport): void {
    if (!this.#isFirstLogged) {
      this.#log.info("First report accepted, by {transport}", {
        transport: transportName(transport),
      });
    }
    this.#isFirstLogged = true;
    this.#postError = undefined;
    if (transport.carrier === "WebSocket") {
      if (transport.version === 2) this.#version = 2;
      // After several that did not last, one answer is no proof that this one will.
      if (this.#shortConnections >= SHORT_CONNECTIONS_LIMIT && this.#answers++ === 0) return;
      this.#socketError = undefined;
      this.#notify(undefined, "WebSocket");
    }
    this.#notify(undefined, "report");
  }

  /** A report failed. */
  failed(error: unknown): void {
    this.#notify(error, "report");
  }

  /** No POST transport is supported; a WebSocket of version 1 is tried. */
  postUnsupported(error: unknown): void {
    this.#postError = error;
  }

  /** A POST transport works that was tried. */
  transportFound(transport: Transport): void {
    const { version } = transport;
    if (version !== this.#version && version !== this.#preferredVersion) {
      this.#log.info(
        "The panel supports only version {version} of the protocol; reports are sent by {transport}",
        { version, transport: transportName(transport) },
      );
    }
    this.#version = version;
    // A WebSocket of version 1 that a panel does not have any more is not blocked.
    const isFallback = version === 2 && this.#preferredVersion === 2;
    if (isFallback && this.#socketError !== undefined) {
      this.#logFallback(this.#socketError);
    }
  }

  /** A WebSocket could not be opened; `hasFallback`: POST works, `mayFallBack`: POST is tried next. */
  dialFailed(error: PanelError, options: { hasFallback: boolean; mayFallBack: boolean }): void {
    this.#socketError = error;
    if (options.hasFallback) this.#logFallback(error);
    else if (!options.mayFallBack) this.failed(this.#postError ?? error);
  }

  /** A WebSocket was closed; `hasFallback`: POST works. */
  socketClosed(reason: string, options: { hasFallback: boolean; durationMs: number }): void {
    this.#answers = 0;
    this.#shortConnections = options.durationMs < SHORT_CONNECTION_MS
      ? this.#shortConnections + 1
      : 0;
    for (const observer of this.#observers) {
      observer.onShortConnections?.(this.#shortConnections);
    }
    const message = `Cannot keep the WebSocket: ${reason}`;
    const error = new PanelError(message, { failure: "disconnected" });
    this.#socketError = error;
    if (options.hasFallback) this.#logFallback(error);
    // After several that did not last POST is tried, and its outcome is logged.
    else if (this.#shortConnections < SHORT_CONNECTIONS_LIMIT) this.failed(error);
  }

  /** Several connections in a row were closed soon. */
  duplicateAgent(): void {
    // Not a warning: those may have used up their part of the log.
    this.#log.error(
      "The panel closes each connection soon after it was opened: most likely another agent runs " +
        "with the same token",
    );
  }

  #logFallback({ message }: PanelError): void {
    const text = `${message}; reports are sent by POST`;
    this.#notify(new PanelError(text, { failure: "websocket blocked" }), "WebSocket");
  }

  #notify(error: unknown, call: string): void {
    for (const observer of this.#observers) observer.onOutcome?.(error, call);
  }
}
