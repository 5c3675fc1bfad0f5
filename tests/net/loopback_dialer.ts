import {
  type ByteStream,
  ConnectionStream,
  type Dialer,
  type DialResult,
} from "../../lib/net/byte_stream.ts";

/** Opens streams to loopback, and knows what became of them. */
export class LoopbackDialer implements Dialer {
  /** What it was asked for. */
  readonly urls: string[] = [];
  /** How many writes there have been on all streams. */
  writes = 0;
  /** How many bytes were read from all streams. */
  bytesRead = 0;
  readonly #open = new Set<ByteStream>();
  readonly #forward: DialResult["forward"];
  readonly #longestWrite: number;

  /** `longestWrite` is how many bytes a stream takes at once. */
  constructor(options: { forward?: DialResult["forward"]; longestWrite?: number } = {}) {
    this.#forward = options.forward;
    this.#longestWrite = options.longestWrite ?? Infinity;
  }

  /** How many streams were not closed yet. */
  get openStreams(): number {
    return this.#open.size;
  }

  async dial(url: URL, { signal }: { signal: AbortSignal }): Promise<DialResult> {
    this.urls.push(url.href);
    const { hostname, port } = url;
    const connection = new ConnectionStream(
      await Deno.connect({ hostname, port: Number(port), signal }),
    );
    const stream: ByteStream = {
      read: async (into) => {
        const count = await connection.read(into);
        this.bytesRead += count ?? 0;
        return count;
      },
      write: (bytes) => {
        this.writes++;
        return connection.write(bytes.subarray(0, this.#longestWrite));
      },
      close: () => {
        this.#open.delete(stream);
        connection.close();
      },
    };
    this.#open.add(stream);
    return this.#forward === undefined ? { stream } : { stream, forward: this.#forward };
  }
}
