/**
 * A request to a running agent to set the month's totals. A sealed agent opens no file, so it holds
 * this one open from its start, and looks into it at each report.
 *
 * @module
 */

import { jsonFields, parseJson } from "../parse/json.ts";
import { openWritableFile } from "./writable_file.ts";
import type { TrafficBytes } from "../types.ts";

/** Totals of the current period to set; absent ones stay. */
export interface TrafficRequest {
  /** Tells one request from another. */
  readonly id: string;
  readonly total: Partial<TrafficBytes>;
}

/** The answer of an agent. */
export interface TrafficAnswer {
  readonly id: string;
  /** Why the totals that were set can't be kept; empty when they are on the disk. */
  readonly problem: string;
}

const NAME = "month.request";
/** Each record fills the file, since a sealed process can't shorten it. */
const RECORD_BYTES = 1024;
const MAX_PROBLEM_LENGTH = 300;
const MAX_BYTES = 2 ** 63;

/** The file of requests in a state folder. */
export class TrafficRequestFile implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #bytes = new Uint8Array(RECORD_BYTES);

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /**
   * Makes the file for an agent, without a request: one of before may not be wanted any more.
   *
   * @throws {Error} When it can't be made.
   */
  static create(folder: string): TrafficRequestFile {
    const file = new TrafficRequestFile(openWritableFile(`${folder}/${NAME}`, { mode: 0o600 }));
    file.clear();
    return file;
  }

  /** Opens the file of a running agent; `undefined` when it has none, as older versions. */
  static open(folder: string): TrafficRequestFile | undefined {
    try {
      Deno.lstatSync(`${folder}/${NAME}`);
    } catch {
      return undefined;
    }
    return new TrafficRequestFile(openWritableFile(`${folder}/${NAME}`, { mode: 0o600 }));
  }

  /** Asks the agent. @throws {Error} When it can't be written. */
  ask({ id, total: { sentBytes, receivedBytes } }: TrafficRequest): void {
    this.#write(JSON.stringify({ id, sentBytes, receivedBytes }));
  }

  /** Withdraws a request, or an answer. @throws {Error} When it can't be written. */
  clear(): void {
    this.#write("");
  }

  /** Answers a request. @throws {Error} When it can't be written. */
  answer({ id, problem }: TrafficAnswer): void {
    this.#write(JSON.stringify({ id, problem: problem.slice(0, MAX_PROBLEM_LENGTH) }));
  }

  /** The request that waits for an answer; `undefined` when there is none. */
  request(): TrafficRequest | undefined {
    const { id, sentBytes, receivedBytes, problem } = this.#read();
    if (typeof id !== "string" || problem !== undefined) return undefined;
    const total = {
      ...(isByteCount(sentBytes) && { sentBytes }),
      ...(isByteCount(receivedBytes) && { receivedBytes }),
    };
    return { id, total };
  }

  /** The answer to a request; `undefined` before it came. */
  answerTo(wanted: string): TrafficAnswer | undefined {
    const { id, problem } = this.#read();
    return id === wanted && typeof problem === "string" ? { id, problem } : undefined;
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  #read(): Readonly<Record<string, unknown>> {
    this.#file.seekSync(0, Deno.SeekMode.Start);
    const length = this.#file.readSync(this.#bytes) ?? 0;
    // Most of the time there is nothing.
    if (this.#bytes[0] !== BRACE) return {};
    try {
      return jsonFields(parseJson(new TextDecoder().decode(this.#bytes.subarray(0, length))));
    } catch {
      // It is just being written.
      return {};
    }
  }

  #write(text: string): void {
    this.#file.seekSync(0, Deno.SeekMode.Start);
    this.#file.writeSync(new TextEncoder().encode(text.padEnd(RECORD_BYTES - 1) + "\n"));
  }
}

const BRACE = 0x7b;

function isByteCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < MAX_BYTES;
}
