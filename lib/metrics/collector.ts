/**
 * Rows of a machine's table of collectors, and how they read their sources.
 *
 * @module
 */

import type { Source } from "../host/host.ts";
import type { Snapshot } from "../types.ts";

/** Values of a snapshot; absent ones are not known. */
export type Measurements = Omit<Snapshot, "failures">;

/** A part of a metric, such as a mount, that could not be measured. */
export class UnmeasuredPart extends Error {
  /** Its name, for the report's message. */
  readonly part: string;

  constructor(part: string, cause: Error) {
    super(cause.message, { cause });
    this.part = part;
  }
}

/** A row of a machine's table: measures one subject anew at every report. */
export interface Collector {
  /** Name of the metric, in the words of the report's message. */
  readonly subject: string;
  /** Age up to which its values are reported again, in milliseconds; by default they never are. */
  readonly maxAgeMs?: number;
  /**
   * Its fields of the snapshot; `nowMs` is the snapshot's time by the monotonic clock.
   *
   * @throws {Error} When the source can't be read.
   */
  collect(nowMs: number): Measurements;
  /** Part that is missing in the last values, such as a malformed line of their source. */
  missingPart?(): Error | undefined;
  /** Values to report in place of those that could not be measured. */
  lastKnown?(): Measurements | undefined;
  /** Describes where the last values are from, by their names in a dry run. */
  sources(): Readonly<Record<string, string>>;
}

/** Parses the text of a source; no text is no data. */
export function parseSource<T>(source: Source, parse: (text: string) => T): T | undefined {
  const text = source.read();
  return text === undefined ? undefined : parse(text);
}
