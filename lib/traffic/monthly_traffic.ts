import { attempt } from "../attempt.ts";
import { getLogger } from "../log/log.ts";
import type { Machine } from "../metrics/machine.ts";
import { formatByteCount } from "../parse/quantity.ts";
import type { TrafficBytes } from "../types.ts";
import {
  addBytes,
  advancePeriods,
  billingPeriodAt,
  bytesBetween,
  continueCount,
  formerName,
  isSameBoot,
  startCount,
  type TrafficCount,
} from "./billing_period.ts";
import type { NetStaticSum } from "./net_static.ts";
import type { TrafficState } from "./traffic_state.ts";

/** The machine whose traffic is counted. */
export type CountedMachine = Pick<Machine, "network" | "bootId" | "uptimeSeconds">;

/** Options of {@linkcode MonthlyTraffic}. */
export interface MonthlyTrafficOptions {
  /** Day of the month of the reset, 1 to 31. */
  readonly day: number;
  /** Imports the official agent's count since a time; called once, without a state. */
  importOfficial(sinceMs: number): NetStaticSum | undefined;
  /** Called when another month begins, or continues after a clock that was wrong. */
  onNewPeriod?(): void;
}

interface Count extends TrafficCount {
  /** Total of the network collector at the last update. */
  readonly seen: TrafficBytes;
}

/** Measures traffic with totals since the last monthly reset. */
export class MonthlyTraffic {
  readonly #machine: CountedMachine;
  readonly #options: MonthlyTrafficOptions;
  readonly #bootId: string;
  /** When the clock began to show an earlier period, by the monotonic clock. */
  #earlierSinceMs: number | undefined;
  readonly #log = getLogger("agent");
  #restored: TrafficState | undefined;
  #current: Count | undefined;
  #generation = 0;

  constructor(machine: CountedMachine, options: MonthlyTrafficOptions) {
    this.#machine = machine;
    this.#options = options;
    this.#bootId = machine.bootId();
  }

  /** Increases with every change that should be persisted. */
  get generation(): number {
    return this.#generation;
  }

  /** Totals of the current period and its first day; `undefined` before the first sample. */
  total(): (TrafficBytes & { start: string }) | undefined {
    if (this.#current === undefined) return undefined;
    const { periods, countedBytes } = this.#current;
    return { ...bytesBetween(periods.current, countedBytes), start: periods.current.start };
  }

  /**
   * Totals of the current period; `undefined` without network data.
   *
   * @throws {SyntaxError} When the kernel's text is malformed.
   */
  collect(): TrafficBytes | undefined {
    if (this.#machine.network.collect() === undefined) return undefined;
    const { periods, countedBytes } = this.#update();
    return bytesBetween(periods.current, countedBytes);
  }

  /** Counts without a report. @throws {SyntaxError} When the kernel's text is malformed. */
  sample(): void {
    if (this.#machine.network.sample() !== undefined) this.#update();
  }

  /** Whether it continues from a state. */
  get isRestored(): boolean {
    return this.#restored !== undefined;
  }

  /** Continues from a state, whether or not counting has started. */
  restore(state: TrafficState): void {
    this.#restored = state;
    if (this.#current !== undefined) this.#current = this.#start();
  }

  /** Sets the given totals of the period; false before the first sample. */
  set(total: Partial<TrafficBytes>): boolean {
    const count = this.#current;
    if (count === undefined) return false;
    const { periods, countedBytes } = count;
    const wanted = { ...bytesBetween(periods.current, countedBytes), ...total };
    const current = { ...periods.current, ...bytesBetween(wanted, countedBytes) };
    this.#current = { ...count, periods: { ...periods, current } };
    this.#generation++;
    this.#logTotals("The month's traffic was set");
    return true;
  }

  /** The state to persist; `undefined` before the first sample. */
  state(): TrafficState | undefined {
    if (this.#current === undefined) return undefined;
    const { countedBytes, periods: { current, others } } = this.#current;
    const { network } = this.#machine;
    return {
      day: this.#options.day,
      bootId: this.#bootId,
      countedBytes,
      current,
      others,
      interfaces: network.total.counters(),
      indexes: network.total.indexes(),
    };
  }

  #update(): Count {
    const before = this.#current ?? this.#start();
    const seen = this.#machine.network.total.bytes();
    const news = bytesBetween(before.seen, seen);
    if (news.sentBytes !== 0 || news.receivedBytes !== 0) this.#generation++;
    const countedBytes = addBytes(before.countedBytes, news);
    return this.#current = this.#advancePeriod({ countedBytes, periods: before.periods, seen });
  }

  #advancePeriod(count: Count): Count {
    const nowMs = Date.now();
    const { start } = billingPeriodAt(nowMs, this.#options.day);
    const { countedBytes, periods } = count;
    const { current } = periods;
    const isEarlier = start < current.start;
    if (isEarlier && this.#earlierSinceMs === undefined) {
      this.#log.warning(
        "The clock shows the month of {start}; the month of {current} continues unless that lasts for ten minutes",
        { start, current: current.start },
      );
    }
    const earlierForMs = this.#earlierForMs(isEarlier);
    if (start === current.start) {
      return { ...count, periods: { ...periods, current: { ...current, seenMs: nowMs } } };
    }
    const advanced = advancePeriods(periods, { start, nowMs, countedBytes, earlierForMs });
    if (advanced === periods) return count;
    this.#generation++;
    this.#logTotals(
      start > current.start
        ? "The month's traffic was reset; previous month"
        : "The clock ran ahead: the traffic of an earlier month continues; later month",
      count,
    );
    this.#options.onNewPeriod?.();
    return { ...count, periods: advanced };
  }

  /** Time for which the clock has shown an earlier period. */
  #earlierForMs(isEarlier: boolean): number {
    if (!isEarlier) {
      this.#earlierSinceMs = undefined;
      return 0;
    }
    this.#earlierSinceMs ??= performance.now();
    return performance.now() - this.#earlierSinceMs;
  }

  #start(): Count {
    const { day } = this.#options;
    const { network } = this.#machine;
    const bootId = this.#bootId;
    const nowMs = Date.now();
    const period = billingPeriodAt(nowMs, day);
    // Where it can't be read, the next report says so.
    const uptime = attempt(() => this.#machine.uptimeSeconds());
    const bootedAtMs = uptime === undefined ? undefined : nowMs - uptime * 1000;
    const followed = network.total.counters();
    const counted = network.interfaces().filter((it) => it.counted);
    const counters = new Map(counted.flatMap(({ name }) => {
      const now = followed.get(name);
      return now === undefined ? [] : [[name, now]];
    }));
    const indexes = network.total.indexes();
    const context = { day, nowMs, period, bootId, bootedAtMs, counters, indexes };
    const state = this.#restored;
    const started = state === undefined
      ? startCount(context, this.#options.importOfficial(period.startMs))
      : continueCount(state, context);
    if (state !== undefined && isSameBoot(state, bootId)) {
      const present = new Set<string>();
      for (const name of followed.keys()) {
        const former = formerName(name, { state, context });
        if (former === undefined) continue;
        present.add(former);
        const last = state.interfaces.get(former);
        if (last !== undefined && counters.has(name)) network.total.resume(name, last);
      }
      for (const [name, last] of state.interfaces) {
        if (!present.has(name)) network.total.restore(name, last, state.indexes.get(name));
      }
    }
    this.#generation++;
    this.#current = { ...started, seen: network.total.bytes() };
    this.#logTotals(
      state === undefined ? "Counting the month's traffic" : "Continuing the month's traffic",
    );
    return this.#current;
  }

  #logTotals(what: string, count = this.#current): void {
    if (count === undefined) return;
    const { periods, countedBytes } = count;
    const { sentBytes, receivedBytes } = bytesBetween(periods.current, countedBytes);
    this.#log.info("{what}: up {up}, down {down} since {start}", {
      what,
      up: formatByteCount(sentBytes),
      down: formatByteCount(receivedBytes),
      start: periods.current.start,
    });
  }
}
