/** A two-way stream of bytes to a server, whatever lies between: proxy, TLS or nothing. */
export interface Line {
  /** Bytes read into the buffer; `null` when the other side has ended. Rejects when it was closed. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  /** How many bytes the system took, at least one. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  /** Ends both directions at once; closing twice does nothing. */
  close(): void;
}

/** A line that stands, and what a request over it has to know of the way. */
export interface OpenLine {
  readonly line: Line;
  /**
   * Set when an HTTP proxy reads the requests: their first line must name the whole URL.
   * `authorization` is the value of `Proxy-Authorization`, when the proxy wants one.
   */
  readonly forward?: { readonly authorization?: string };
}

/** Opens lines; every way to a panel goes through one. */
export interface Dialler {
  /**
   * Opens a line to the host of an `http:`, `https:`, `ws:` or `wss:` URL. Names are looked up
   * anew each time.
   *
   * @throws {LineError} When it does not come about; the message has no query and no password.
   * @throws The signal's reason when it aborts.
   */
  open(url: URL, options: { signal: AbortSignal }): Promise<OpenLine>;
}
