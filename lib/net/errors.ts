/** How far a line to a server came before it failed. */
export type DialStage = "lookup" | "connect" | "proxy" | "tls";

/** A line to a server did not come about; the message is for an operator and has no password. */
export class DialError extends Error {
  override name = "LineError";
  readonly stage: DialStage;

  constructor(message: string, options: { stage: DialStage; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.stage = options.stage;
  }
}

/** A server was reached, but its answer did not come or was none. */
export class ResponseError extends Error {
  override name = "AnswerError";
  readonly kind: "closed" | "malformed" | "too long" | "timeout";

  constructor(message: string, options: { kind: ResponseError["kind"]; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.kind = options.kind;
  }
}

/** A server answered the wish for a WebSocket with something else. */
export class UpgradeError extends Error {
  override name = "UpgradeRefused";
  readonly status: number;
  /** The start of what it said. */
  readonly text: string;
  /** Where it sends us instead. */
  readonly location: string | undefined;

  constructor(status: number, options: { text: string; location: string | undefined }) {
    super(`The upgrade to a WebSocket was answered with status ${status}`);
    this.status = status;
    this.text = options.text;
    this.location = options.location;
  }
}
