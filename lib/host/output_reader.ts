const CHUNK_BYTES = 16 * 1024;

/** Chunks that are read before timers and other connections get their turn. */
const CHUNKS_PER_TURN = 16;

/** Keeps what it wants of a program's output. */
export interface OutputSink {
  /** Adds output; the bytes are good until it returns. */
  add(bytes: Uint8Array): void;
}

/** Reads all of a program's output, so that the program never blocks. */
export class OutputReader<Sink extends OutputSink> {
  readonly output: Sink;
  /** Settles when the program has closed its end, or after {@linkcode cancel}; never rejects. */
  readonly ended: Promise<void>;
  readonly #reader: ReadableStreamBYOBReader;
  #isDiscarding = false;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>, output: Sink) {
    this.output = output;
    this.#reader = stream.getReader({ mode: "byob" });
    this.ended = this.#readAll();
  }

  /** Throws away what comes from now on. */
  discard(): void {
    this.#isDiscarding = true;
  }

  /** Stops reading. */
  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
    await this.ended;
  }

  async #readAll(): Promise<void> {
    // The same buffer is used for every chunk, so that 200 MB of output leave no garbage.
    let buffer = new ArrayBuffer(CHUNK_BYTES);
    try {
      for (let chunks = 1;; chunks++) {
        const { value, done } = await this.#reader.read(new Uint8Array(buffer));
        if (done) return;
        if (!this.#isDiscarding) this.output.add(value);
        buffer = value.buffer;
        if (chunks % CHUNKS_PER_TURN === 0) await new Promise((turn) => setTimeout(turn, 0));
      }
    } catch {
      // A pipe that breaks ends the output; the bytes before count.
    }
  }
}
