import type { Collector, Measurements } from "../../lib/metrics/snapshot.ts";

/** A row of a table that may be exchanged in a test. */
export type FakeRow = { -readonly [Key in keyof Collector]: Collector[Key] };

/** A row that always measures the same. */
export function fakeRow(
  subject: string,
  values: Measurements,
  rest: Partial<Collector> = {},
): FakeRow {
  return { subject, collect: () => values, sources: () => ({}), ...rest };
}

/** Makes a row fail from now on. */
export function breakRow(row: FakeRow): void {
  row.collect = () => {
    throw new SyntaxError('Cannot parse loadavg: "x"');
  };
}

/** A table like a machine's; a test takes the rows of it that it needs. */
export function fakeTable(): Record<"cpu" | "memory" | "disk" | "load" | "uptime", FakeRow> {
  const usage = { totalBytes: 10, usedBytes: 4 };
  return {
    cpu: fakeRow("CPU use", { cpuTime: { busy: 12, all: 100 } }),
    memory: fakeRow("memory", { memory: usage, swap: usage }),
    disk: fakeRow("disk space", { disk: usage }, { maxAgeMs: 4_500 }),
    load: fakeRow("load", { load: { oneMinute: 1, fiveMinutes: 2, fifteenMinutes: 3 } }),
    uptime: fakeRow("uptime", { uptimeSeconds: 99 }),
  };
}
