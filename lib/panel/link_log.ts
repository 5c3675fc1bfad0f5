import { isSocket, RIVAL_AT, SHORT_LIFE_MS, type Way } from "./link_machine.ts";
import type { PanelLog } from "./outages.ts";
import { PanelError } from "./panel_error.ts";

/** Tells the operator what becomes of the link: the first report, trouble, and what goes round it. */
export class LinkStory {
  readonly #log: PanelLog;
  #accepted = false;
  #older = false;
  #clamped = false;
  /** What became of the last WebSocket; told only when it turns out that POST goes through. */
  #socketError: PanelError | undefined;
  /** WebSockets that did not last, in a row. */
  #shortLives = 0;
  /** Reports that the present WebSocket has answered, as far as they are counted. */
  #answers = 0;

  constructor(log: PanelLog) {
    this.#log = log;
  }

  /** Whether the panel was found to speak the older version of its protocol only. */
  get older(): boolean {
    return this.#older;
  }

  /** A report went through. */
  accepted(way: Way): void {
    if (!this.#accepted) this.#log.info(`First report accepted, by ${way}`);
    this.#accepted = true;
    if (way === "v2 WebSocket") this.#older = false;
    if (isSocket(way)) {
      // One that came and went several times has to last for more than a report to be good news.
      if (this.#shortLives >= RIVAL_AT && this.#answers++ === 0) return;
      this.#socketError = undefined;
      this.#log.succeeded("WebSocket");
    }
    this.#log.succeeded("report");
  }

  /** A report did not go through. */
  failed(error: unknown): void {
    this.#log.failed("report", error);
  }

  /** A way was found, or found again. */
  found(way: Way, options: { expected: boolean }): void {
    const older = !options.expected && (way === "v1 POST" || way === "v1 WebSocket");
    if (older && !this.#older) this.#log.info("The panel speaks the older version of its protocol");
    this.#older = older;
    if (way === "v2 POST" && this.#socketError !== undefined) this.#tellSocket(this.#socketError);
  }

  /** A WebSocket did not come about; `goesOn` says that reports go by POST. */
  notOpened(error: PanelError, options: { goesOn: boolean; maybePost: boolean }): void {
    this.#socketError = error;
    if (options.goesOn) this.#tellSocket(error);
    else if (!options.maybePost) this.failed(error);
  }

  /** A WebSocket has ended that reports went by, or was to take them over. */
  ended(ending: string, options: { goesOn: boolean; livedMs: number }): void {
    this.#answers = 0;
    this.#shortLives = options.livedMs < SHORT_LIFE_MS ? this.#shortLives + 1 : 0;
    const message = `Cannot keep the WebSocket: ${ending}`;
    const error = new PanelError(message, { failure: "disconnected" });
    this.#socketError = error;
    if (options.goesOn) this.#tellSocket(error);
    // Such a one is not waited for: POST is tried, and what becomes of that is told.
    else if (this.#shortLives < RIVAL_AT) this.failed(error);
  }

  /** Another agent must be using the same token. */
  rival(): void {
    this.#log.warning(
      "The panel closes each connection soon after it was made: most likely another agent runs " +
        "with the same token",
    );
  }

  /** The interval is longer than the panel allows over a WebSocket. */
  clamped(): void {
    if (this.#clamped) return;
    this.#clamped = true;
    this.#log.info("Reports go every 10 s: the panel drops a WebSocket that is silent for longer");
  }

  #tellSocket({ message }: PanelError): void {
    const text = `${message}; reports go by POST`;
    this.#log.failed("WebSocket", new PanelError(text, { failure: "barred" }));
  }
}
