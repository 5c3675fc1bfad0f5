/**
 * Rows of a machine's table of collectors, and all of them together: one sample of the machine, which is
 * the content of a report.
 *
 * @module
 */

import type { Source } from "../host/host.ts";
import { describeError, getLogger } from "../log/log.ts";
import { quoteStart } from "../parse/bounded_text.ts";
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

/** A collector that failed, and why. */
export interface CollectorFailure {
  /** Name of the metric that could not be measured, as in the report's message. */
  readonly subject: string;
  readonly error: unknown;
}

/**
 * Measures everything once. A collector that fails is named in `failures` and its last known values,
 * if any, are used; the others are not affected.
 */
export function takeSnapshot(
  collectors: readonly Collector[],
  onFailure: (failure: CollectorFailure) => void = () => {},
): Snapshot {
  const nowMs = performance.now();
  const snapshot: Snapshot = { failures: [] };
  const fail = (subject: string, error: unknown): void => {
    const name = error instanceof UnmeasuredPart ? ` ${quoteStart(error.part)}` : "";
    snapshot.failures.push(`cannot measure ${subject}${name}`);
    onFailure({ subject, error });
  };
  for (const collector of collectors) {
    let values: Measurements | undefined;
    try {
      values = collector.collect(nowMs);
      const missing = collector.missingPart?.();
      if (missing !== undefined) fail(`part of ${collector.subject}`, missing);
    } catch (error) {
      fail(collector.subject, error);
      values = collector.lastKnown?.();
    }
    const { gpus } = snapshot;
    Object.assign(snapshot, values);
    // Several collectors measure graphics cards.
    if (gpus !== undefined) snapshot.gpus = [...gpus, ...values?.gpus ?? []];
  }
  return snapshot;
}

/** Age limit of values that stand in for some that can't be measured. */
const LAST_KNOWN_MS = 60_000;

/** A collector that keeps its last values: as long as its row says, and a minute over failures. */
function kept(collector: Collector): Collector {
  const { maxAgeMs } = collector;
  let values: Measurements | undefined;
  let collectedAtMs = -Infinity;
  let dueAtMs = -Infinity;
  return {
    ...collector,
    collect(nowMs) {
      if (values !== undefined && nowMs < dueAtMs) return values;
      const found = collector.collect(nowMs);
      values = found;
      collectedAtMs = nowMs;
      if (maxAgeMs !== undefined && Object.values(found).some((value) => value !== undefined)) {
        dueAtMs = nowMs + maxAgeMs;
      }
      return found;
    },
    lastKnown() {
      if (performance.now() - collectedAtMs > LAST_KNOWN_MS) values = undefined;
      return values;
    },
  };
}

/** Is told when collectors fail, and when they work again; must not throw. */
export interface FailureObserver {
  /** The reasons by the subjects that fail. */
  onFailures(failing: ReadonlyMap<string, string>): void;
}

/** A first snapshot that is older than this is taken again. */
const FIRST_MAX_AGE_MS = 1_000;

/**
 * Takes snapshots for reports: bridges failures with values of the last minute, and logs a failure
 * when it starts, when its reason changes and when it ends.
 */
export class Sampler {
  readonly #collectors: readonly Collector[];
  readonly #maxAgeMs: number;
  readonly #observer: FailureObserver | undefined;
  readonly #log = getLogger("agent");
  #latest: { snapshot: Snapshot; takenAtMs: number } | undefined;
  #isReported = false;
  #failing = new Map<string, string>();

  /** `maxAgeMs` is the age up to which {@linkcode Sampler.take} gives a snapshot again. */
  constructor(collectors: readonly Collector[], maxAgeMs = 0, observer?: FailureObserver) {
    this.#observer = observer;
    this.#collectors = collectors.map(kept);
    this.#maxAgeMs = maxAgeMs;
  }

  /** The last snapshot, and its time by the monotonic clock; `undefined` before the first. */
  get latest(): { readonly snapshot: Snapshot; readonly takenAtMs: number } | undefined {
    return this.#latest;
  }

  /**
   * A snapshot for a report: a young one is given again, so that several panels cost one look at the
   * machine. The first is also for the first report, if that comes soon: a second one right behind it
   * would measure speeds over a few milliseconds.
   */
  take(): Snapshot {
    const maxAgeMs = this.#isReported ? this.#maxAgeMs : Math.max(FIRST_MAX_AGE_MS, this.#maxAgeMs);
    this.#isReported = true;
    const latest = this.#latest;
    if (latest !== undefined && performance.now() - latest.takenAtMs < maxAgeMs) {
      return latest.snapshot;
    }
    return this.sample();
  }

  /** Measures everything once. */
  sample(): Snapshot {
    const takenAtMs = performance.now();
    const failing = new Map<string, string>();
    const snapshot = takeSnapshot(this.#collectors, ({ subject, error }) => {
      failing.set(subject, describeError(error));
    });
    this.#latest = { snapshot, takenAtMs };
    if (failing.size > 0 || this.#failing.size > 0) this.#logChanges(failing);
    return snapshot;
  }

  #logChanges(failing: Map<string, string>): void {
    for (const [subject, reason] of failing) {
      if (this.#failing.get(subject) === reason) continue;
      this.#log.warning("Cannot measure {subject}: {reason}", { subject, reason });
    }
    for (const subject of this.#failing.keys()) {
      if (!failing.has(subject)) this.#log.info("Measuring {subject} works again", { subject });
    }
    this.#failing = failing;
    this.#observer?.onFailures(failing);
  }
}
