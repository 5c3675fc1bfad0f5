import { getLogger } from "../log/log.ts";
import type { NetworkCollector } from "../metrics/network.ts";
import { formatByteCount } from "../parse/byte_size.ts";
import type { Traffic, TrafficBytes } from "../types.ts";
import {
  advancePeriods,
  baselineForTotal,
  beginCount,
  type Clocks,
  continueCount,
  isSameBoot,
  PeriodClock,
  periodTotal,
  type TrafficCount,
} from "./billing_period.ts";
import type { NetStaticSum } from "./net_static.ts";
import type { TrafficState } from "./traffic_state.ts";

/** What the month's traffic is counted with. */
export interface MonthlyTrafficOptions extends Clocks {
  readonly network: Pick<NetworkCollector, "collect" | "sample" | "total">;
  /** The day of the month on which it starts anew, 1 to 31. */
  readonly day: number;
  /** The kernel's name of this boot; empty where it is not known. */
  readonly bootId: string;
  uptimeSeconds(): number | undefined;
  /** What the official agent has counted since a moment; asked once, when there is no state. */
  importOfficial(sinceMs: number): NetStaticSum | undefined;
}

interface Count extends TrafficCount {
  /** The total of all interfaces at the last look. */
  readonly seen: TrafficBytes;
}

/** The traffic with totals since the month's last reset; speeds are those of the interfaces. */
export class MonthlyTraffic {
  readonly #options: MonthlyTrafficOptions;
  readonly #clock: PeriodClock;
  readonly #log = getLogger("agent");
  #restored: TrafficState | undefined;
  #count: Count | undefined;
  #generation = 0;

  constructor(parts: MonthlyTrafficOptions) {
    this.#options = parts;
    this.#clock = new PeriodClock(parts.day, parts);
  }

  /** Grows with everything that a state should be written for. */
  get generation(): number {
    return this.#generation;
  }

  /** What has passed since the day that began the current period; `undefined` before the first look. */
  total(): (TrafficBytes & { start: string }) | undefined {
    if (this.#count === undefined) return undefined;
    const { periods: marks, countedBytes: passed } = this.#count;
    return { ...periodTotal(marks, passed), start: marks.current.start };
  }

  /**
   * Measures; `undefined` when there is nothing to measure.
   *
   * @throws {SyntaxError} When the kernel's text can't be read.
   */
  collect(): Traffic | undefined {
    const traffic = this.#options.network.collect();
    if (traffic === undefined) return undefined;
    const { periods: marks, countedBytes: passed } = this.#update();
    return { ...traffic, ...periodTotal(marks, passed) };
  }

  /** Counts what has passed without a report. @throws {SyntaxError} As `collect()` does. */
  sample(): void {
    if (this.#options.network.sample() !== undefined) this.#update();
  }

  /** Goes on from a state, whether or not something was counted already. */
  restore(state: TrafficState): void {
    this.#restored = state;
    if (this.#count !== undefined) this.#count = this.#begin();
  }

  /** Sets the period's totals, where there are any yet; what is absent stays as it is. */
  set(total: Partial<TrafficBytes>): boolean {
    const counting = this.#count;
    if (counting === undefined) return false;
    const { periods: marks, countedBytes: passed } = counting;
    const wanted = { ...periodTotal(marks, passed), ...total };
    const current = baselineForTotal(marks.current, passed, wanted);
    this.#count = { ...counting, periods: { ...marks, current } };
    this.#generation++;
    this.#logTotals("The month's traffic was set");
    return true;
  }

  /** What has to be remembered; `undefined` before the first look. */
  state(): TrafficState | undefined {
    if (this.#count === undefined) return undefined;
    const { countedBytes: passed, periods: { current, others } } = this.#count;
    const { day, bootId, network: traffic } = this.#options;
    return {
      day,
      bootId,
      countedBytes: passed,
      current,
      others,
      interfaces: traffic.total.counters(),
    };
  }

  #update(): Count {
    const before = this.#count ?? this.#begin();
    const seen = this.#options.network.total.bytes();
    const sentBytes = before.countedBytes.sentBytes + seen.sentBytes - before.seen.sentBytes;
    const receivedBytes = before.countedBytes.receivedBytes + seen.receivedBytes -
      before.seen.receivedBytes;
    if (
      seen.sentBytes !== before.seen.sentBytes || seen.receivedBytes !== before.seen.receivedBytes
    ) {
      this.#generation++;
    }
    const passed = { sentBytes, receivedBytes };
    const counting = this.#advancePeriod({ countedBytes: passed, periods: before.periods, seen });
    this.#count = counting;
    return counting;
  }

  #advancePeriod(counting: Count): Count {
    const { nowMs, period: { start } } = this.#clock.read();
    const { countedBytes: passed, periods: marks } = counting;
    const { current } = marks;
    const earlierForMs = this.#clock.earlierForMs(start, current.start);
    if (start === current.start) {
      return { ...counting, periods: { ...marks, current: { ...current, seenMs: nowMs } } };
    }
    const turned = advancePeriods(marks, { start, nowMs, countedBytes: passed, earlierForMs });
    if (turned === marks) return counting;
    this.#generation++;
    this.#logTotals(
      start > current.start
        ? "The month's traffic starts anew; that of the month before"
        : "The clock ran ahead, and the traffic of an earlier month goes on; that of the later",
      counting,
    );
    return { ...counting, periods: turned };
  }

  #begin(): Count {
    const { day, bootId, network: traffic, uptimeSeconds } = this.#options;
    const { nowMs, period } = this.#clock.read();
    const uptime = uptimeSeconds();
    const bootedAtMs = uptime === undefined ? undefined : nowMs - uptime * 1000;
    const counters = traffic.total.counters();
    const sight = { day, nowMs, period, bootId, bootedAtMs, counters };
    const state = this.#restored;
    const count = state === undefined
      ? beginCount(sight, this.#options.importOfficial(period.startMs))
      : continueCount(state, sight);
    if (state !== undefined && isSameBoot(state, bootId)) {
      for (const [name, last] of state.interfaces) {
        if (!counters.has(name)) traffic.total.restore(name, last);
      }
    }
    this.#generation++;
    this.#count = { ...count, seen: traffic.total.bytes() };
    this.#logTotals(
      state === undefined ? "The month's traffic begins" : "The month's traffic goes on",
    );
    return this.#count;
  }

  #logTotals(what: string, counting = this.#count): void {
    if (counting === undefined) return;
    const { periods: marks, countedBytes: passed } = counting;
    const { sentBytes, receivedBytes } = periodTotal(marks, passed);
    this.#log.info("{what}: up {up}, down {down} since {start}", {
      what,
      up: formatByteCount(sentBytes),
      down: formatByteCount(receivedBytes),
      start: marks.current.start,
    });
  }
}
