import { OutputReader } from "../host/output_reader.ts";
import type { LongText } from "../types.ts";
import { LargeGarbage } from "../host/memory_release.ts";

/** Limit of one command's output; the rest is cut off. */
export const OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024;

/** Share of the limit that standard error has when both streams exceed it together. */
const STDERR_SHARE_BYTES = OUTPUT_LIMIT_BYTES / 4;

/** Limit of all outputs together, of commands that run and of results that wait for the panel. */
const TOTAL_LIMIT_BYTES = 24 * 1024 * 1024;

/** Finished commands whose background jobs may still print; the pipes of the oldest are closed. */
const MAX_DRAINED = 256;

/** By so much an output grows, and is cut, at most. */
const STEP_BYTES = 64 * 1024;

const MIN_BYTES = 512;

/** So much is decoded at a time. */
const PIECE_BYTES = 64 * 1024;

type Pipe = ReadableStream<Uint8Array<ArrayBuffer>>;

/** The outputs of all commands, bounded together: the longest one is cut first. */
export class CommandOutputs {
  readonly #limitBytes: number;
  readonly #kept = new Set<StreamOutput>();
  readonly #garbage = new LargeGarbage();
  /** Readers of finished commands, oldest first. */
  readonly #drained = new Set<OutputReader<StreamOutput>>();

  constructor({ limitBytes = TOTAL_LIMIT_BYTES }: { limitBytes?: number } = {}) {
    this.#limitBytes = limitBytes;
  }

  /** Reads one stream of a command, and keeps the beginning of it. */
  read(pipe: Pipe): OutputReader<StreamOutput> {
    const output = new StreamOutput((bytes) => {
      this.#shorten();
      // Reading leaves garbage that the engine lets pile up.
      this.#garbage.add(bytes);
    });
    this.#kept.add(output);
    return new OutputReader(pipe, output);
  }

  /** Throws away what comes from now on, so that a background job can go on printing. */
  async drain(reader: OutputReader<StreamOutput>): Promise<void> {
    reader.discard();
    this.#drained.add(reader);
    const [oldest] = this.#drained;
    if (this.#drained.size > MAX_DRAINED) oldest?.cancel();
    await reader.ended;
    this.#drained.delete(reader);
  }

  /** Forgets an output. */
  release(output: StreamOutput): void {
    this.#kept.delete(output);
    output.shorten(Infinity);
  }

  /** Closes all pipes of finished commands. */
  async close(): Promise<void> {
    this.#garbage.close();
    await Promise.all(Array.from(this.#drained, (reader) => reader.cancel()));
  }

  #shorten(): void {
    const outputs = [...this.#kept];
    while (outputs.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0) > this.#limitBytes) {
      outputs.reduce((a, b) => b.memoryBytes > a.memoryBytes ? b : a).shorten();
    }
  }
}

/** The beginning of one stream, which can be cut at its end. */
class StreamOutput {
  readonly #onGrown: (bytes: number) => void;
  #buffer = new ArrayBuffer(0);
  #isCut = false;
  #totalBytes = 0;
  #keptBytes = 0;

  /** @param onGrown Called when it takes more memory. */
  constructor(onGrown: (bytes: number) => void) {
    this.#onGrown = onGrown;
  }

  /** Bytes that were added. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Bytes that are kept. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Bytes that it takes in memory. */
  get memoryBytes(): number {
    return this.#buffer.byteLength;
  }

  /** Adds output; the bytes are copied. */
  add(bytes: Uint8Array): void {
    this.#totalBytes += bytes.length;
    if (this.#isCut) return;
    const start = this.#keptBytes;
    const grownBytes = this.#makeRoom(Math.min(start + bytes.length, OUTPUT_LIMIT_BYTES));
    const part = bytes.subarray(0, this.memoryBytes - start);
    new Uint8Array(this.#buffer).set(part, start);
    this.#keptBytes += part.length;
    if (grownBytes > 0) this.#onGrown(grownBytes);
  }

  /** Gives up its end, and all that comes later. */
  shorten(bytes = Math.min(STEP_BYTES, Math.ceil(this.memoryBytes / 4))): void {
    this.#isCut = true;
    this.#resize(Math.max(0, this.memoryBytes - bytes));
    this.#keptBytes = Math.min(this.#keptBytes, this.memoryBytes);
  }

  /**
   * The first bytes as text in pieces, at most `limitBytes` of them. Invalid UTF-8 becomes a replacement
   * character; a character that the limit would cut is left out.
   */
  *pieces(limitBytes: number): Generator<string> {
    const decoder = new TextDecoder();
    let place = 0;
    // It may be cut meanwhile.
    for (let end = 0; place < (end = Math.min(limitBytes, this.#keptBytes));) {
      const piece = new Uint8Array(this.#buffer, place, Math.min(PIECE_BYTES, end - place));
      place += piece.length;
      yield decoder.decode(piece, { stream: true });
    }
    if (place === this.#totalBytes) yield decoder.decode();
  }

  #makeRoom(bytes: number): number {
    const before = this.memoryBytes;
    if (bytes > before) {
      const spare = Math.min(Math.max(bytes, MIN_BYTES), STEP_BYTES);
      this.#resize(Math.min(bytes + spare, OUTPUT_LIMIT_BYTES));
    }
    return this.memoryBytes - before;
  }

  /** Frees the memory before at once: the engine would keep it until it collects garbage. */
  #resize(bytes: number): void {
    this.#buffer = this.#buffer.transfer(bytes);
  }
}

/** Both streams of a command, the first one before the second. */
export class CommandOutput implements LongText {
  readonly #outputs: CommandOutputs;
  readonly #readers: readonly [OutputReader<StreamOutput>, OutputReader<StreamOutput>];
  /** The last line. */
  note = "";

  /** Reads what a command prints. */
  constructor(outputs: CommandOutputs, { stdout, stderr }: Deno.ChildProcess) {
    this.#outputs = outputs;
    this.#readers = [outputs.read(stdout), outputs.read(stderr)];
  }

  /** Settles when both streams have ended. */
  get ended(): Promise<unknown> {
    return Promise.all(this.#readers.map(({ ended }) => ended));
  }

  /** Throws away what comes from now on. */
  drain(): void {
    for (const reader of this.#readers) this.#outputs.drain(reader);
  }

  /** Bytes of the output that are kept: hardly more than its characters. */
  get length(): number {
    const [{ output: out }, { output: err }] = this.#readers;
    return out.keptBytes + err.keptBytes;
  }

  /** The whole text in pieces, with a note where something was cut off. */
  *[Symbol.iterator](): Generator<string> {
    const [{ output: out }, { output: err }] = this.#readers;
    const errBytes = Math.min(
      err.keptBytes,
      Math.max(OUTPUT_LIMIT_BYTES - out.keptBytes, STDERR_SHARE_BYTES),
    );
    const outBytes = Math.min(out.keptBytes, OUTPUT_LIMIT_BYTES - errBytes);
    const cutBytes = out.totalBytes - outBytes + err.totalBytes - errBytes;
    const cut = cutBytes === 0 ? "" : `[${cutBytes} more bytes of output were cut off]`;
    let endsLine = true;
    for (const part of [out.pieces(outBytes), err.pieces(errBytes), [cut], [this.note]]) {
      let isFirst = true;
      for (const text of part) {
        if (text === "") continue;
        if (isFirst && !endsLine) yield "\n";
        isFirst = false;
        yield text;
        endsLine = text.endsWith("\n");
      }
    }
  }

  /** Forgets it. */
  release(): void {
    for (const { output } of this.#readers) this.#outputs.release(output);
  }
}
