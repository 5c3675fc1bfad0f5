import {
  ConnectionLine,
  type Dialler,
  type Line,
  type OpenLine,
} from "../../lib/net/byte_stream.ts";

/** Opens lines to loopback, and knows what became of them. */
export class LoopbackDialler implements Dialler {
  /** What it was asked for. */
  readonly urls: string[] = [];
  /** How many writes there have been on all lines. */
  writes = 0;
  readonly #open = new Set<Line>();
  readonly #forward: OpenLine["forward"];
  readonly #longestWrite: number;

  /** `longestWrite` is how many bytes a line takes at once. */
  constructor(options: { forward?: OpenLine["forward"]; longestWrite?: number } = {}) {
    this.#forward = options.forward;
    this.#longestWrite = options.longestWrite ?? Infinity;
  }

  /** How many lines were not closed yet. */
  get openLines(): number {
    return this.#open.size;
  }

  async open(url: URL, { signal }: { signal: AbortSignal }): Promise<OpenLine> {
    this.urls.push(url.href);
    const { hostname, port } = url;
    const connection = new ConnectionLine(
      await Deno.connect({ hostname, port: Number(port), signal }),
    );
    const line: Line = {
      read: (into) => connection.read(into),
      write: (bytes) => {
        this.writes++;
        return connection.write(bytes.subarray(0, this.#longestWrite));
      },
      close: () => {
        this.#open.delete(line);
        connection.close();
      },
    };
    this.#open.add(line);
    return this.#forward === undefined ? { line } : { line, forward: this.#forward };
  }
}
