import { type OnMalformed, parseLines, throwMalformed } from "./lines.ts";

/** Packets that a core has received since boot. */
export interface SoftnetCounters {
  /** Number of the core; kernels before 5.10 list the online ones only by their order. */
  readonly cpu: number;
  readonly processed: number;
  readonly dropped: number;
  readonly timesSqueezed: number;
  /** Absent in kernels before 2.6.36 and 3.11. */
  readonly receivedRps: number | undefined;
  readonly flowLimitCount: number | undefined;
}

const COLUMN = { receivedRps: 9, flowLimitCount: 10, cpu: 12 } as const;

/**
 * Parses `/proc/net/softnet_stat`, a line of hexadecimal columns for each core; a malformed line goes
 * to `onMalformed`.
 *
 * @throws {SyntaxError} For a malformed line, without `onMalformed`.
 */
export function parseSoftnetStat(
  text: string,
  onMalformed: OnMalformed = throwMalformed,
): SoftnetCounters[] {
  let index = 0;
  const parse = (line: string): SoftnetCounters | undefined => {
    const order = index++;
    const words = line.split(" ");
    if (!words.every((word) => /^[0-9a-f]{8}$/.test(word))) return undefined;
    const columns = words.map((word) => parseInt(word, 16));
    const [processed, dropped, timesSqueezed] = columns;
    if (processed === undefined || dropped === undefined || timesSqueezed === undefined) {
      return undefined;
    }
    return {
      cpu: columns[COLUMN.cpu] ?? order,
      processed,
      dropped,
      timesSqueezed,
      receivedRps: columns[COLUMN.receivedRps],
      flowLimitCount: columns[COLUMN.flowLimitCount],
    };
  };
  return parseLines(text, { source: "softnet_stat", parse, onMalformed });
}
