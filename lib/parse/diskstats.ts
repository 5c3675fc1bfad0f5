import { parseCounts } from "./count.ts";
import { type OnMalformed, parseLines, throwMalformed } from "./lines.ts";

/** Counters of a block device since it appeared. */
export interface DiskCounters {
  readonly device: string;
  readonly major: number;
  readonly minor: number;
  /**
   * In the kernel's order, as many as it has: reads completed and merged, sectors read, milliseconds;
   * the same of writes; requests in progress, milliseconds with any, the same weighted; since 4.18
   * the first four of discards; since 5.5 flushes and their milliseconds. Sectors have 512 bytes.
   */
  readonly counters: readonly number[];
}

/** Columns of the oldest kernel with all of reads and writes. */
const MIN_COUNTERS = 11;

/**
 * Parses `/proc/diskstats`; a malformed line goes to `onMalformed`.
 *
 * @throws {SyntaxError} For a malformed line, without `onMalformed`.
 */
export function parseDiskstats(
  text: string,
  onMalformed: OnMalformed = throwMalformed,
): DiskCounters[] {
  return parseLines(text, { source: "diskstats", parse: parseLine, onMalformed });
}

function parseLine(line: string): DiskCounters | undefined {
  const [majorWord = "", minorWord = "", device = "", ...words] = line.trim().split(/ +/);
  const [major, minor] = parseCounts([majorWord, minorWord]) ?? [];
  const counters = parseCounts(words);
  if (major === undefined || minor === undefined || counters === undefined) return undefined;
  return counters.length < MIN_COUNTERS ? undefined : { device, major, minor, counters };
}
