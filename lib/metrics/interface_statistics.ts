import type { Source } from "../host/host.ts";
import type { InterfaceCounters } from "../parse/net_dev.ts";

/** Byte counters of one interface, from `/sys/class/net/NAME/statistics`. */
export interface InterfaceStatistics {
  readonly received: Source;
  readonly sent: Source;
}

/** An interface that may have statistics. */
interface MeasuredInterface {
  readonly name: string;
  readonly statistics?: InterfaceStatistics;
}

/** Counters of each interface; `undefined` when one of them has gone or can't be read. */
export function readStatistics(
  counted: readonly MeasuredInterface[],
): InterfaceCounters[] | undefined {
  const counters: InterfaceCounters[] = [];
  for (const { name, statistics } of counted) {
    try {
      const receivedBytes = parseCount(statistics?.received.read());
      const sentBytes = parseCount(statistics?.sent.read());
      if (receivedBytes === undefined || sentBytes === undefined) return undefined;
      counters.push({ name, receivedBytes, sentBytes });
    } catch {
      return undefined;
    }
  }
  return counters;
}

function parseCount(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,20}\n?$/.test(text) ? Number(text) : undefined;
}

/**
 * Whether the statistics are those of the counters that were read between them: `/sys` may show another
 * network, where an interface has the same name.
 */
export function isBetween(
  before: readonly InterfaceCounters[] | undefined,
  counters: readonly InterfaceCounters[],
  after: readonly InterfaceCounters[] | undefined,
): boolean {
  return before !== undefined && after !== undefined && counters.length === after.length &&
    counters.every(({ name, receivedBytes, sentBytes }, index) => {
      const [first, last] = [before[index], after[index]];
      return first?.name === name && last?.name === name &&
        first.receivedBytes <= receivedBytes && receivedBytes <= last.receivedBytes &&
        first.sentBytes <= sentBytes && sentBytes <= last.sentBytes;
    });
}
