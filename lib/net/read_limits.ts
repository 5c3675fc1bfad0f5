/**
 * Bounds what a peer's bytes cost beyond their number.
 *
 * @module
 */

import { malformed } from "./http_head.ts";

/** Bytes of a body after which its chunks must have {@linkcode MIN_MEAN_CHUNK_BYTES} on average. */
const SMALL_CHUNKS_BYTES = 1024;
const MIN_MEAN_CHUNK_BYTES = 16;

/** Refuses a body in tiny chunks, each of which costs more than its bytes. */
export class ChunkLimit {
  #bytes = 0;
  #chunks = 0;

  /** Counts a chunk of so many bytes. @throws {ResponseError} When they are too small. */
  take(bytes: number, sizeLine: string): void {
    this.#bytes += bytes;
    // A long line costs as much as several chunks.
    this.#chunks += 1 + Math.floor(sizeLine.length / MIN_MEAN_CHUNK_BYTES);
    const isLong = this.#bytes > SMALL_CHUNKS_BYTES;
    if (isLong && this.#bytes < MIN_MEAN_CHUNK_BYTES * this.#chunks) {
      throw malformed("its chunks are too small");
    }
  }
}

/** A read of fewer bytes costs more than they do. */
const SMALL_READ_BYTES = 512;
/** Small reads in a second, in the long run: twice as many as messages by WebSocket. */
const SMALL_READS_PER_SECOND = 100;
/** Of the answers by POST of one server, each of which is one or two. */
export const ANSWERS_PER_SECOND = 25;
/** Small reads at once. */
const BURST = 100;
/** Time in which the bytes of the next read gather. */
const PAUSE_MS = 40;

/**
 * Slows reading down where a peer sends a few bytes at a time, each of which would cause a read: of
 * packets, or of TLS records with others between them that hold nothing.
 */
export class ReadLimit {
  readonly #perSecond: number;
  #small = 0;
  #countedAtMs = performance.now();

  constructor({ perSecond = SMALL_READS_PER_SECOND } = {}) {
    this.#perSecond = perSecond;
  }

  /** Counts a read of so many bytes; the time until the next one, in milliseconds. */
  take(bytes: number): number {
    if (bytes >= SMALL_READ_BYTES) return 0;
    const nowMs = performance.now();
    const forgotten = (nowMs - this.#countedAtMs) / 1000 * this.#perSecond;
    this.#countedAtMs = nowMs;
    this.#small = Math.max(0, this.#small - forgotten) + 1;
    return this.#small > BURST ? PAUSE_MS : 0;
  }
}
