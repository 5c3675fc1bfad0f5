/** The step at which dialing failed. */
export type DialStage = "lookup" | "connect" | "proxy" | "tls";

/** A server could not be reached; the message is for an operator and has no password. */
export class DialError extends Error {
  readonly stage: DialStage;

  constructor(message: string, options: { stage: DialStage; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.stage = options.stage;
  }
}

/** A server was reached, but sent no valid response. */
export class ResponseError extends Error {
  readonly kind: "closed" | "malformed" | "too long" | "timeout";

  constructor(message: string, options: { kind: ResponseError["kind"]; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.kind = options.kind;
  }
}

/** A server answered a WebSocket upgrade with another status than 101. */
export class UpgradeError extends Error {
  readonly status: number;
  /** The start of the body. */
  readonly text: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;

  constructor(
    status: number,
    options: { text: string; headers: ReadonlyMap<string, string> },
  ) {
    super(`Cannot open a WebSocket: the server answered with status ${status}`);
    this.status = status;
    this.text = options.text;
    this.headers = options.headers;
  }
}
