/** A WebSocket that stands. */
export interface Socket {
  /** Resolves when the system has taken it; rejects when the connection is gone. */
  send(message: string | Uint8Array<ArrayBuffer>): Promise<void>;
  /** Sends a control ping, which the other side has to answer. */
  ping(): Promise<void>;
  /** When the last bytes of any kind came, in milliseconds of `performance.now()`. */
  readonly heardAtMs: number;
  /**
   * The next message, text or binary; `undefined` when the connection has ended, for whatever
   * reason. Must not be called again before it has settled.
   */
  receive(): Promise<string | Uint8Array<ArrayBuffer> | undefined>;
  /** Why it has ended, in words for the log; empty as long as it stands. */
  readonly ending: string;
  /** Whether it was ended here, since what came was no message or a far too long one. */
  readonly senseless: boolean;
  /** Ends the connection at once. */
  close(): void;
}
