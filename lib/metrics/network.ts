/**
 * Network traffic: which interfaces count, their bytes since boot, and the speeds between two samples.
 *
 * @module
 */

import type { Source } from "../host/host.ts";
import type { InterfaceTraits } from "../host/interface_traits.ts";
import { quoteStart } from "../parse/bounded_text.ts";
import { matchesGlob } from "../parse/glob.ts";
import { type InterfaceCounters, parseNetDev } from "../parse/net_dev.ts";
import type { Traffic } from "../types.ts";
import {
  decideInterface,
  type InterfaceDecision,
  type InterfaceGlobs,
  isDialUp,
  KIND_UNKNOWN,
  mayBeCarriedByAnother,
} from "./interface_filter.ts";
import { type InterfaceStatistics, isBetween, readStatistics } from "./interface_statistics.ts";
import { TrafficTotal } from "./traffic_total.ts";

/**
 * With more interfaces, `net/dev` is not read each time: the kernel spends about 2 µs on each of them,
 * and container hosts have hundreds. Reading 500 takes 1.1 ms, more than all the rest of a report.
 */
const MANY_INTERFACES = 32;
/** Interval at which it is read then, and so the time until a new interface is noticed. */
const REFRESH_MS = 30_000;
/** Interfaces whose statistics are kept open, two files each. */
const MAX_OPEN = 16;

/** Looks up the traits of a new interface; `undefined` when they are unknown. */
export type LookupTraits = (
  name: string,
) => InterfaceTraits | undefined | Promise<InterfaceTraits | undefined>;

/** An interface and the decision on it. */
export interface InterfaceStatus extends InterfaceDecision {
  name: string;
}

interface TrackedInterface {
  readonly name: string;
  traits: InterfaceTraits | undefined;
  answered: boolean;
  decision: InterfaceDecision | undefined;
  /** Present for interfaces that counted at the start. */
  statistics?: InterfaceStatistics;
}

/**
 * Measures the traffic of counted interfaces, from `/proc/net/dev`.
 *
 * An interface is decided once, when it appears, and again when it reappears. One that appears later
 * adds its counters to the total, but not to the rate; see {@linkcode TrafficTotal}.
 */
export class NetworkCollector {
  readonly #source: Source;
  readonly #traits: LookupTraits;
  readonly #globs: InterfaceGlobs;
  readonly #readAtMs: () => number;
  readonly #parse: typeof parseNetDev;
  #openStatistics: ((name: string) => InterfaceStatistics) | undefined;
  readonly #interfaces = new Map<string, TrackedInterface>();
  readonly #undecided = new Set<TrackedInterface>();
  /** Bytes of all counted interfaces. */
  readonly total = new TrafficTotal();
  /** Those that count although nothing tells what they are. */
  readonly #unknown = new Set<TrackedInterface>();
  #deviceSeen = false;
  #malformed: SyntaxError | undefined;
  /** The counted interfaces among many. */
  #counted: readonly TrackedInterface[] | undefined;
  /** Until then their statistics suffice. */
  #sufficesUntilMs: number | undefined;

  /**
   * `source` is the `net/dev` of the measured network, or another text with its parser in
   * `options.parse` and the time of it in `options.readAtMs`; by default it is that of reading.
   * `openStatistics` opens the counters of one interface of the same network.
   */
  constructor(
    source: Source,
    traits: LookupTraits,
    options: {
      globs: InterfaceGlobs;
      readAtMs?: () => number;
      parse?: typeof parseNetDev;
      openStatistics?: ((name: string) => InterfaceStatistics) | undefined;
    },
  ) {
    this.#source = source;
    this.#traits = traits;
    this.#globs = options.globs;
    this.#readAtMs = options.readAtMs ?? (() => performance.now());
    this.#parse = options.parse ?? parseNetDev;
    this.#openStatistics = options.openStatistics;
  }

  /**
   * Totals and rates; `undefined` without `net/dev` and while the first interfaces are undecided.
   *
   * @throws {SyntaxError} When every line of the kernel's text is malformed.
   */
  collect(): Traffic | undefined {
    const atMs = this.sample();
    return atMs === undefined ? undefined : this.total.trafficAt(atMs);
  }

  /**
   * Updates the total without starting a new interval for the rates. Returns the time of the sample,
   * or `undefined` as {@linkcode NetworkCollector.collect} does.
   *
   * @throws {SyntaxError} When every line of the kernel's text is malformed.
   */
  sample(): number | undefined {
    return this.#sampleCounted() ?? this.#sampleAll();
  }

  /** Updates the total from the counted interfaces alone; `undefined` when that does not suffice. */
  #sampleCounted(): number | undefined {
    const isFresh = performance.now() < (this.#sufficesUntilMs ?? 0);
    const counters = isFresh && this.#counted && readStatistics(this.#counted);
    if (!counters) return undefined;
    const atMs = this.#readAtMs();
    for (const now of counters) this.total.add(now, this.#interfaces.get(now.name)?.traits?.index);
    return atMs;
  }

  #sampleAll(): number | undefined {
    const before = this.#counted && readStatistics(this.#counted);
    const text = this.#source.read();
    if (text === undefined) return undefined;
    const atMs = this.#readAtMs();
    this.#malformed = undefined;
    const counters = this.#parse(text, (error) => this.#malformed ??= error);
    if (counters.length === 0 && this.#malformed !== undefined) throw this.#malformed;
    // Missing ones first: an interface that was renamed continues from what its old name had.
    this.#pruneMissing(new Set(counters.map(({ name }) => name)));
    for (const { name } of counters) {
      if (!this.#interfaces.has(name)) this.#track(name);
    }
    if (this.#undecided.size > 0) this.#decide(counters);
    const counted = counters.filter(({ name }) => this.#interfaces.get(name)?.decision?.counted);
    for (const now of counted) this.total.add(now, this.#interfaces.get(now.name)?.traits?.index);
    if (this.#undecided.size === 0) this.#openStatisticsOnce();
    const isLarge = this.#interfaces.size > MANY_INTERFACES && this.#undecided.size === 0;
    this.#counted = isLarge ? this.#countedInterfaces() : undefined;
    const after = this.#counted && readStatistics(this.#counted);
    this.#sufficesUntilMs = isBetween(before, counted, after) ? atMs + REFRESH_MS : undefined;
    if (this.#undecided.size > 0 && this.total.isEmpty()) return undefined;
    return atMs;
  }

  /** Before the process is sealed; an interface that appears later has no statistics. */
  #openStatisticsOnce(): void {
    const open = this.#openStatistics;
    this.#openStatistics = undefined;
    if (open === undefined) return;
    for (const nic of this.#countedInterfaces().slice(0, MAX_OPEN)) nic.statistics = open(nic.name);
  }

  #countedInterfaces(): TrackedInterface[] {
    return Array.from(this.#interfaces.values()).filter(({ decision }) => decision?.counted);
  }

  /** The error of a malformed line of the last text, which was skipped; or an interface of unknown kind. */
  missingPart(): Error | undefined {
    if (this.#malformed !== undefined) return this.#malformed;
    const [nic] = this.#unknown;
    return nic && new Error(`Cannot tell what ${quoteStart(nic.name)} is: it counts by its name`);
  }

  /** Decisions on all interfaces of the last sample, in the kernel's order. */
  interfaces(): InterfaceStatus[] {
    return Array.from(
      this.#interfaces.values(),
      ({ name, decision }) => ({
        name,
        ...decision ?? { counted: false, rule: "not decided yet" },
      }),
    );
  }

  #track(name: string): void {
    const nic: TrackedInterface = { name, traits: undefined, answered: true, decision: undefined };
    this.#interfaces.set(name, nic);
    this.#undecided.add(nic);
    if (name === "lo" || isExcludedByInclude(name, this.#globs)) return;
    const answer = this.#traits(name);
    if (!(answer instanceof Promise)) {
      nic.traits = answer;
      return;
    }
    nic.answered = false;
    answer.then((traits) => nic.traits = traits, () => undefined).then(() => nic.answered = true);
  }

  #decide(counters: InterfaceCounters[]): void {
    let allAnswered = true;
    for (const nic of this.#undecided) {
      if (nic.traits?.device) this.#deviceSeen = true;
      allAnswered &&= nic.answered;
    }
    // Links that others may carry depend on the decisions on those and their traffic.
    for (const last of [false, true]) {
      for (const nic of this.#undecided) {
        if (!nic.answered || mayBeCarriedByAnother(nic.name, nic.traits) !== last) continue;
        if (!this.#deviceSeen && !allAnswered && nic.name !== "lo") continue;
        nic.decision = decideInterface(nic.name, nic.traits, {
          globs: this.#globs,
          noDevices: !this.#deviceSeen,
          isOnlyLink: last && this.#hasNoneCounted(),
          hasTraffic: last && this.#hasTraffic(counters),
        });
        this.#undecided.delete(nic);
        if (nic.decision.rule === KIND_UNKNOWN) this.#unknown.add(nic);
      }
    }
  }

  #hasNoneCounted(): boolean {
    for (const { decision } of this.#interfaces.values()) {
      if (decision?.counted) return false;
    }
    return true;
  }

  #hasTraffic(counters: InterfaceCounters[]): boolean {
    return counters.some(({ name, sentBytes, receivedBytes }) =>
      sentBytes + receivedBytes > 0 && !isDialUp(name) &&
      this.#interfaces.get(name)?.decision?.counted
    );
  }

  #pruneMissing(present: ReadonlySet<string>): void {
    for (const nic of this.#interfaces.values()) {
      if (present.has(nic.name)) continue;
      this.#interfaces.delete(nic.name);
      this.#undecided.delete(nic);
      this.#unknown.delete(nic);
      this.total.markGone(nic.name);
    }
  }
}

/** With an include list, traits serve only to recognize a renamed interface. */
function isExcludedByInclude(name: string, { include }: InterfaceGlobs): boolean {
  return include.length > 0 && !include.some((glob) => matchesGlob(name, glob));
}
