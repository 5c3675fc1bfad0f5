import { KeptOutput } from "./kept_output.ts";

const CHUNK_BYTES = 64 * 1024;

/** So many chunks are read before others get their turn. */
const CHUNKS_AT_A_TIME = 4;

/** Reads all that a program says, so that it never has to wait, and keeps the beginning. */
export class OutputReader {
  readonly kept: KeptOutput;
  /** Settles when the program has closed its end, or after {@linkcode cancel}; never rejects. */
  readonly ended: Promise<void>;
  readonly #reader: ReadableStreamBYOBReader;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>, options: { limitBytes: number }) {
    this.kept = new KeptOutput(options.limitBytes);
    this.#reader = stream.getReader({ mode: "byob" });
    this.ended = this.#readAll();
  }

  /** Reads no more. */
  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
    await this.ended;
  }

  async #readAll(): Promise<void> {
    // One buffer goes back and forth, so that 200 MB of output leave no garbage.
    let buffer = new ArrayBuffer(CHUNK_BYTES);
    try {
      for (let chunks = 1;; chunks++) {
        const { value, done } = await this.#reader.read(new Uint8Array(buffer));
        if (done) return;
        this.kept.add(value);
        buffer = value.buffer;
        // A pipe that is never empty would keep timers and other connections from their turn.
        if (chunks % CHUNKS_AT_A_TIME === 0) await new Promise((turn) => setTimeout(turn, 0));
      }
    } catch {
      // The other end is gone in a way that is no end; what came before counts all the same.
    }
  }
}
