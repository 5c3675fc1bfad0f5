import {
  isWebSocket,
  SHORT_CONNECTION_MS,
  SHORT_CONNECTIONS_LIMIT,
  type Transport,
} from "./link_machine.ts";
import type { PanelLog } from "./outages.ts";
import { PanelError } from "./panel_error.ts";

/** Tells the operator what becomes of the link: the first report, trouble, and what goes round it. */
export class LinkLog {
  readonly #log: PanelLog;
  #accepted = false;
  #older = false;
  #isClamped = false;
  /** What became of the last WebSocket; told only when it turns out that POST goes through. */
  #socketError: PanelError | undefined;
  /** WebSockets that did not last, in a row. */
  #shortConnections = 0;
  /** Reports that the present WebSocket has answered, as far as they are counted. */
  #answers = 0;

  constructor(log: PanelLog) {
    this.#log = log;
  }

  /** Whether the panel was found to speak the older version of its protocol only. */
  get isV1Only(): boolean {
    return this.#older;
  }

  /** A report went through. */
  accepted(transport: Transport): void {
    if (!this.#accepted) this.#log.info(`First report accepted, by ${transport}`);
    this.#accepted = true;
    if (transport === "v2 WebSocket") this.#older = false;
    if (isWebSocket(transport)) {
      // One that came and went several times has to last for more than a report to be good news.
      if (this.#shortConnections >= SHORT_CONNECTIONS_LIMIT && this.#answers++ === 0) return;
      this.#socketError = undefined;
      this.#log.succeeded("WebSocket");
    }
    this.#log.succeeded("report");
  }

  /** A report did not go through. */
  failed(error: unknown): void {
    this.#log.failed("report", error);
  }

  /** A transport was found, or found again. */
  transportFound(transport: Transport, options: { expected: boolean }): void {
    const older = !options.expected && (transport === "v1 POST" || transport === "v1 WebSocket");
    if (older && !this.#older) this.#log.info("The panel speaks the older version of its protocol");
    this.#older = older;
    if (transport === "v2 POST" && this.#socketError !== undefined) {
      this.#logFallback(this.#socketError);
    }
  }

  /** A WebSocket did not come about; `goesOn` says that reports go by POST. */
  dialFailed(error: PanelError, options: { hasFallback: boolean; mayFallBack: boolean }): void {
    this.#socketError = error;
    if (options.hasFallback) this.#logFallback(error);
    else if (!options.mayFallBack) this.failed(error);
  }

  /** A WebSocket has ended that reports went by, or was to take them over. */
  socketClosed(ending: string, options: { hasFallback: boolean; durationMs: number }): void {
    this.#answers = 0;
    this.#shortConnections = options.durationMs < SHORT_CONNECTION_MS
      ? this.#shortConnections + 1
      : 0;
    const message = `Cannot keep the WebSocket: ${ending}`;
    const error = new PanelError(message, { failure: "disconnected" });
    this.#socketError = error;
    if (options.hasFallback) this.#logFallback(error);
    // Such a one is not waited for: POST is tried, and what becomes of that is told.
    else if (this.#shortConnections < SHORT_CONNECTIONS_LIMIT) this.failed(error);
  }

  /** Another agent must be using the same token. */
  duplicateAgent(): void {
    this.#log.warning(
      "The panel closes each connection soon after it was made: most likely another agent runs " +
        "with the same token",
    );
  }

  /** The interval is longer than the panel allows over a WebSocket. */
  intervalClamped(): void {
    if (this.#isClamped) return;
    this.#isClamped = true;
    this.#log.info("Reports go every 10 s: the panel drops a WebSocket that is silent for longer");
  }

  #logFallback({ message }: PanelError): void {
    const text = `${message}; reports go by POST`;
    this.#log.failed("WebSocket", new PanelError(text, { failure: "websocket blocked" }));
  }
}
