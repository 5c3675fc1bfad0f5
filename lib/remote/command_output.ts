import { OutputReader } from "../host/output_reader.ts";
import { LargeGarbage } from "../host/memory_release.ts";
import type { LongText } from "../types.ts";

/** Limit of one command's output; the rest is cut off. */
export const OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024;

/** Share of the limit that standard error has when both streams exceed it together. */
const STDERR_SHARE_BYTES = OUTPUT_LIMIT_BYTES / 4;

/** Limit of all outputs together, of commands that run and of results that wait for the panel. */
const TOTAL_LIMIT_BYTES = 24 * 1024 * 1024;

/** Streams of finished commands to which background jobs may still print; the oldest are closed. */
const MAX_DRAINED = 256;

/** By so much an output grows, and is cut, at most; so much is decoded at a time. */
const STEP_BYTES = 64 * 1024;

/** The outputs of all commands, bounded together: the longest one is cut first. */
export class CommandOutputs {
  readonly #limitBytes: number;
  readonly #garbage = new LargeGarbage();
  readonly #kept = new Set<StreamOutput>();
  /** Those of finished commands, oldest first. */
  readonly #drained = new Set<StreamOutput>();

  constructor({ limitBytes = TOTAL_LIMIT_BYTES }: { limitBytes?: number } = {}) {
    this.#limitBytes = limitBytes;
  }

  /** Reads one stream of a command, and keeps the beginning of it. */
  read(pipe: ReadableStream<Uint8Array<ArrayBuffer>>): StreamOutput {
    const output = new StreamOutput(pipe, (bytes) => {
      this.#shorten();
      // Reading leaves garbage that the engine lets pile up.
      this.#garbage.add(bytes);
    });
    this.#kept.add(output);
    return output;
  }

  /** Throws away what comes from now on, so that a background job can go on printing. */
  async drain(output: StreamOutput): Promise<void> {
    output.reader.discard();
    this.#drained.add(output);
    const [oldest] = this.#drained;
    if (this.#drained.size > MAX_DRAINED) oldest?.reader.cancel();
    await output.reader.ended;
    this.#drained.delete(output);
  }

  /** Forgets an output. */
  release(output: StreamOutput): void {
    this.#kept.delete(output);
    output.shorten(Infinity);
  }

  /** Closes the streams of finished commands. */
  async close(): Promise<void> {
    this.#garbage.close();
    await Promise.all(Array.from(this.#drained, ({ reader }) => reader.cancel()));
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
  readonly reader: OutputReader<StreamOutput>;
  /** Bytes that came. */
  totalBytes = 0;
  /** Bytes that are kept. */
  keptBytes = 0;
  readonly #onGrown: (bytes: number) => void;
  #buffer = new ArrayBuffer(0);
  #isCut = false;

  /** @param onGrown Called when it takes more memory. */
  constructor(pipe: ReadableStream<Uint8Array<ArrayBuffer>>, onGrown: (bytes: number) => void) {
    this.#onGrown = onGrown;
    this.reader = new OutputReader(pipe, this);
  }

  /** Bytes that it takes in memory. */
  get memoryBytes(): number {
    return this.#buffer.byteLength;
  }

  /** Adds output; the bytes are copied. */
  add(bytes: Uint8Array): void {
    this.totalBytes += bytes.length;
    if (this.#isCut) return;
    const start = this.keptBytes;
    const before = this.memoryBytes;
    const end = Math.min(start + bytes.length, OUTPUT_LIMIT_BYTES);
    if (end > before) {
      const roomBytes = Math.min(end + Math.min(end, STEP_BYTES), OUTPUT_LIMIT_BYTES);
      // The memory before is free at once: the engine would keep it until it collects garbage.
      this.#buffer = this.#buffer.transfer(roomBytes);
    }
    new Uint8Array(this.#buffer).set(bytes.subarray(0, end - start), start);
    this.keptBytes = end;
    if (end > before) this.#onGrown(this.memoryBytes - before);
  }

  /** Gives up its end, and all that comes later. */
  shorten(bytes = Math.min(STEP_BYTES, Math.ceil(this.memoryBytes / 4))): void {
    this.#isCut = true;
    this.#buffer = this.#buffer.transfer(Math.max(0, this.memoryBytes - bytes));
    this.keptBytes = Math.min(this.keptBytes, this.memoryBytes);
  }

  /**
   * The first bytes as text in pieces, at most `limitBytes` of them. Invalid UTF-8 becomes a replacement
   * character; a character that the limit would cut is left out.
   */
  *pieces(limitBytes: number): Generator<string> {
    const decoder = new TextDecoder();
    let place = 0;
    // It may be cut meanwhile.
    for (let end = 0; place < (end = Math.min(limitBytes, this.keptBytes));) {
      const piece = new Uint8Array(this.#buffer, place, Math.min(STEP_BYTES, end - place));
      place += piece.length;
      yield decoder.decode(piece, { stream: true });
    }
    if (place === this.totalBytes) yield decoder.decode();
  }
}

/** Both streams of a command, the first one before the second. */
export class CommandOutput implements LongText {
  readonly #outputs: CommandOutputs;
  readonly #out: StreamOutput;
  readonly #err: StreamOutput;
  /** The last line. */
  note = "";

  /** Reads what a command prints. */
  constructor(outputs: CommandOutputs, { stdout, stderr }: Deno.ChildProcess) {
    this.#outputs = outputs;
    this.#out = outputs.read(stdout);
    this.#err = outputs.read(stderr);
  }

  /** Settles when both streams have ended. */
  get ended(): Promise<unknown> {
    return Promise.all([this.#out.reader.ended, this.#err.reader.ended]);
  }

  /** Throws away what comes from now on. */
  drain(): void {
    for (const output of [this.#out, this.#err]) this.#outputs.drain(output);
  }

  /** Bytes of the output that are kept: hardly more than its characters. */
  get length(): number {
    return this.#out.keptBytes + this.#err.keptBytes;
  }

  /** The whole text in pieces, with a note where something was cut off. */
  *[Symbol.iterator](): Generator<string> {
    const [out, err] = [this.#out, this.#err];
    const left = Math.max(OUTPUT_LIMIT_BYTES - out.keptBytes, STDERR_SHARE_BYTES);
    const errBytes = Math.min(err.keptBytes, left);
    const outBytes = Math.min(out.keptBytes, OUTPUT_LIMIT_BYTES - errBytes);
    const cutBytes = out.totalBytes - outBytes + err.totalBytes - errBytes;
    const cut = cutBytes === 0 ? "" : `[${cutBytes} more bytes of output were cut off]`;
    let last = "\n";
    for (const part of [out.pieces(outBytes), err.pieces(errBytes), [cut], [this.note]]) {
      let isFirst = true;
      for (const text of part) {
        if (text === "") continue;
        // Each part begins on a line of its own.
        if (isFirst && !last.endsWith("\n")) yield "\n";
        isFirst = false;
        yield last = text;
      }
    }
  }

  /** Forgets it. */
  release(): void {
    for (const output of [this.#out, this.#err]) this.#outputs.release(output);
  }
}
