import { getLogger } from "../log/log.ts";
import type { Network } from "../metrics/network.ts";
import { formatByteCount } from "../parse/byte_size.ts";
import type { BothWays, Traffic } from "../types.ts";
import {
  beginMonth,
  continueMonth,
  isSameBoot,
  markFor,
  MonthClock,
  type MonthClocks,
  type MonthCount,
  periodTotal,
  turnMarks,
} from "./billing_period.ts";
import type { NetStaticSum } from "./net_static.ts";
import type { MonthState } from "./traffic_state.ts";

/** What the month's traffic is counted with. */
export interface MonthParts extends MonthClocks {
  readonly traffic: Pick<Network, "collect" | "look" | "sum">;
  /** The day of the month on which it starts anew, 1 to 31. */
  readonly day: number;
  /** The kernel's name of this boot; empty where it is not known. */
  readonly bootId: string;
  uptimeSeconds(): number | undefined;
  /** What the official agent has counted since a moment; asked once, when there is no state. */
  official(sinceMs: number): NetStaticSum | undefined;
}

interface Counting extends MonthCount {
  /** The total of all interfaces at the last look. */
  readonly seen: BothWays;
}

/** The traffic with totals since the month's last reset; speeds are those of the interfaces. */
export class MonthTraffic {
  readonly #parts: MonthParts;
  readonly #clock: MonthClock;
  readonly #log = getLogger("agent");
  #found: MonthState | undefined;
  #counting: Counting | undefined;
  #generation = 0;

  constructor(parts: MonthParts) {
    this.#parts = parts;
    this.#clock = new MonthClock(parts.day, parts);
  }

  /** Grows with everything that a state should be written for. */
  get generation(): number {
    return this.#generation;
  }

  /** What has passed since the day that began the current period; `undefined` before the first look. */
  total(): (BothWays & { start: string }) | undefined {
    if (this.#counting === undefined) return undefined;
    const { marks, passed } = this.#counting;
    return { ...periodTotal(marks, passed), start: marks.current.start };
  }

  /**
   * Measures; `undefined` when there is nothing to measure.
   *
   * @throws {SyntaxError} When the kernel's text can't be read.
   */
  collect(): Traffic | undefined {
    const traffic = this.#parts.traffic.collect();
    if (traffic === undefined) return undefined;
    const { marks, passed } = this.#take();
    return { ...traffic, ...periodTotal(marks, passed) };
  }

  /** Counts what has passed without a report. @throws {SyntaxError} As `collect()` does. */
  look(): void {
    if (this.#parts.traffic.look() !== undefined) this.#take();
  }

  /** Goes on from a state, whether or not something was counted already. */
  adopt(state: MonthState): void {
    this.#found = state;
    if (this.#counting !== undefined) this.#counting = this.#begin();
  }

  /** Sets the period's totals, where there are any yet; what is absent stays as it is. */
  set(total: Partial<BothWays>): boolean {
    const counting = this.#counting;
    if (counting === undefined) return false;
    const { marks, passed } = counting;
    const wanted = { ...periodTotal(marks, passed), ...total };
    const current = markFor(marks.current, passed, wanted);
    this.#counting = { ...counting, marks: { ...marks, current } };
    this.#generation++;
    this.#tell("The month's traffic was set");
    return true;
  }

  /** What has to be remembered; `undefined` before the first look. */
  state(): MonthState | undefined {
    if (this.#counting === undefined) return undefined;
    const { passed, marks: { current, others } } = this.#counting;
    const { day, bootId, traffic } = this.#parts;
    return { day, bootId, passed, current, others, interfaces: traffic.sum.counters() };
  }

  #take(): Counting {
    const before = this.#counting ?? this.#begin();
    const seen = this.#parts.traffic.sum.total();
    const sentBytes = before.passed.sentBytes + seen.sentBytes - before.seen.sentBytes;
    const receivedBytes = before.passed.receivedBytes + seen.receivedBytes -
      before.seen.receivedBytes;
    if (
      seen.sentBytes !== before.seen.sentBytes || seen.receivedBytes !== before.seen.receivedBytes
    ) {
      this.#generation++;
    }
    const passed = { sentBytes, receivedBytes };
    const counting = this.#turn({ passed, marks: before.marks, seen });
    this.#counting = counting;
    return counting;
  }

  #turn(counting: Counting): Counting {
    const { nowMs, period: { start } } = this.#clock.look();
    const { passed, marks } = counting;
    const { current } = marks;
    const earlierForMs = this.#clock.earlierForMs(start, current.start);
    if (start === current.start) {
      return { ...counting, marks: { ...marks, current: { ...current, seenMs: nowMs } } };
    }
    const turned = turnMarks(marks, { start, nowMs, passed, earlierForMs });
    if (turned === marks) return counting;
    this.#generation++;
    this.#tell(
      start > current.start
        ? "The month's traffic starts anew; that of the month before"
        : "The clock ran ahead, and the traffic of an earlier month goes on; that of the later",
      counting,
    );
    return { ...counting, marks: turned };
  }

  #begin(): Counting {
    const { day, bootId, traffic, uptimeSeconds } = this.#parts;
    const { nowMs, period } = this.#clock.look();
    const uptime = uptimeSeconds();
    const bootedAtMs = uptime === undefined ? undefined : nowMs - uptime * 1000;
    const counters = traffic.sum.counters();
    const sight = { day, nowMs, period, bootId, bootedAtMs, counters };
    const state = this.#found;
    const count = state === undefined
      ? beginMonth(sight, this.#parts.official(period.startMs))
      : continueMonth(state, sight);
    if (state !== undefined && isSameBoot(state, bootId)) {
      for (const [name, last] of state.interfaces) {
        if (!counters.has(name)) traffic.sum.remember(name, last);
      }
    }
    this.#generation++;
    this.#counting = { ...count, seen: traffic.sum.total() };
    this.#tell(state === undefined ? "The month's traffic begins" : "The month's traffic goes on");
    return this.#counting;
  }

  #tell(what: string, counting = this.#counting): void {
    if (counting === undefined) return;
    const { marks, passed } = counting;
    const { sentBytes, receivedBytes } = periodTotal(marks, passed);
    this.#log.info("{what}: up {up}, down {down} since {start}", {
      what,
      up: formatByteCount(sentBytes),
      down: formatByteCount(receivedBytes),
      start: marks.current.start,
    });
  }
}
