/**
 * A request to a running agent to set the month's totals. A sealed agent opens no file, so it holds
 * this one open from its start, and looks into it at each report.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { jsonFields } from "../parse/json.ts";
import type { TrafficBytes } from "../types.ts";
import { RecordFile } from "./record_file.ts";
import { openWritableFile } from "./writable_file.ts";

/** Totals of the current period to set; absent ones stay. */
export interface TrafficRequest {
  /** Tells one request from another. */
  readonly id: string;
  readonly total: Partial<TrafficBytes>;
}

const NAME = "month.request";
/** An answer with the longest problem, whatever it is made of. */
const MAX_BYTES = 2048;
const MAX_PROBLEM_LENGTH = 300;
const MAX_TOTAL_BYTES = 2 ** 63;

/** The file of requests in a state folder. */
export class TrafficRequestFile implements Disposable {
  readonly #record: RecordFile;

  private constructor(folder: string) {
    const file = openWritableFile(`${folder}/${NAME}`, { mode: 0o600 });
    this.#record = new RecordFile(file, { maxBytes: MAX_BYTES });
  }

  /**
   * Makes the file for an agent, without a request: one of before may not be wanted any more.
   *
   * @throws {Error} When it can't be made.
   */
  static create(folder: string): TrafficRequestFile {
    const file = new TrafficRequestFile(folder);
    file.clear();
    return file;
  }

  /** Opens the file of a running agent; `undefined` when it has none. */
  static open(folder: string): TrafficRequestFile | undefined {
    if (attempt(() => Deno.lstatSync(`${folder}/${NAME}`)) === undefined) return undefined;
    return new TrafficRequestFile(folder);
  }

  /** Asks the agent. @throws {Error} When it can't be written. */
  ask({ id, total: { sentBytes, receivedBytes } }: TrafficRequest): void {
    this.#record.write({ id, sentBytes, receivedBytes });
  }

  /** Withdraws a request, or an answer. @throws {Error} When it can't be written. */
  clear(): void {
    this.#record.clear();
  }

  /**
   * Answers a request: why the totals can't be kept, or nothing where they are on the disk.
   *
   * @throws {Error} When it can't be written.
   */
  answer(id: string, problem: string): void {
    this.#record.write({ id, problem: problem.slice(0, MAX_PROBLEM_LENGTH) });
  }

  /** The request that waits for an answer; `undefined` when there is none. */
  request(): TrafficRequest | undefined {
    const { id, sentBytes, receivedBytes, problem } = jsonFields(this.#record.read());
    if (typeof id !== "string" || problem !== undefined) return undefined;
    const total = {
      ...(isByteCount(sentBytes) && { sentBytes }),
      ...(isByteCount(receivedBytes) && { receivedBytes }),
    };
    return { id, total };
  }

  /** The problem in the answer to a request, empty for none; `undefined` before it came. */
  answerTo(wanted: string): string | undefined {
    const { id, problem } = jsonFields(this.#record.read());
    return id === wanted && typeof problem === "string" ? problem : undefined;
  }

  [Symbol.dispose](): void {
    this.#record[Symbol.dispose]();
  }
}

function isByteCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 &&
    value < MAX_TOTAL_BYTES;
}
