import type { Source } from "../host/host.ts";
import type { InterfaceTraits } from "../host/interface_traits.ts";
import { matchesGlob } from "../parse/glob.ts";
import { type InterfaceCounters, parseNetDev } from "../parse/net_dev.ts";
import type { Traffic } from "../types.ts";
import {
  decideInterface,
  type InterfaceDecision,
  type InterfaceGlobs,
  isDialUp,
  mayBeCarriedByAnother,
} from "./interface_filter.ts";
import { TrafficTotal } from "./traffic_total.ts";

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
  lastRound: number;
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
  readonly #monotonicMs: () => number;
  readonly #parse: typeof parseNetDev;
  readonly #interfaces = new Map<string, TrackedInterface>();
  readonly #undecided = new Set<TrackedInterface>();
  /** Bytes of all counted interfaces. */
  readonly total = new TrafficTotal();
  #deviceSeen = false;
  #round = 0;
  #seen = 0;

  /**
   * `source` is the `net/dev` of the measured network, or another text with its parser in
   * `options.parse`.
   */
  constructor(
    source: Source,
    traits: LookupTraits,
    options: {
      globs: InterfaceGlobs;
      monotonicMs: () => number;
      parse?: typeof parseNetDev;
    },
  ) {
    this.#source = source;
    this.#traits = traits;
    this.#globs = options.globs;
    this.#monotonicMs = options.monotonicMs;
    this.#parse = options.parse ?? parseNetDev;
  }

  /**
   * Totals and rates; `undefined` without `net/dev` and while the first interfaces are undecided.
   *
   * @throws {SyntaxError} When the kernel's text is malformed.
   */
  collect(): Traffic | undefined {
    const atMs = this.sample();
    return atMs === undefined ? undefined : this.total.trafficAt(atMs);
  }

  /**
   * Updates the total without starting a new interval for the rates. Returns the time of the sample,
   * or `undefined` as {@linkcode NetworkCollector.collect} does.
   *
   * @throws {SyntaxError} When the kernel's text is malformed.
   */
  sample(): number | undefined {
    const text = this.#source.read();
    if (text === undefined) return undefined;
    const atMs = this.#monotonicMs();
    this.#round++;
    this.#seen = 0;
    const counters = this.#parse(text, (name) => this.#isWanted(name));
    // Missing ones first: an interface that was renamed continues from what its old name had.
    if (this.#seen !== this.#interfaces.size) this.#pruneMissing();
    if (this.#undecided.size > 0) this.#decide(counters);
    for (const now of counters) {
      const tracked = this.#interfaces.get(now.name);
      if (tracked?.decision?.counted) this.total.add(now, tracked.traits?.index);
    }
    if (this.#undecided.size > 0 && this.total.isEmpty()) return undefined;
    return atMs;
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

  #isWanted(name: string): boolean {
    const nic = this.#interfaces.get(name) ?? this.#track(name);
    if (nic.lastRound !== this.#round) this.#seen++;
    nic.lastRound = this.#round;
    return nic.decision?.counted ?? true;
  }

  #track(name: string): TrackedInterface {
    const nic: TrackedInterface = {
      name,
      traits: undefined,
      answered: true,
      decision: undefined,
      lastRound: 0,
    };
    this.#interfaces.set(name, nic);
    this.#undecided.add(nic);
    if (name === "lo" || isExcludedByInclude(name, this.#globs)) return nic;
    const answer = this.#traits(name);
    if (!(answer instanceof Promise)) {
      nic.traits = answer;
      return nic;
    }
    nic.answered = false;
    answer.then((traits) => nic.traits = traits, () => undefined).then(() => nic.answered = true);
    return nic;
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

  #pruneMissing(): void {
    for (const nic of this.#interfaces.values()) {
      if (nic.lastRound === this.#round) continue;
      this.#interfaces.delete(nic.name);
      this.#undecided.delete(nic);
      this.total.markGone(nic.name);
    }
  }
}

/** With an include list, traits serve only to recognize a renamed interface. */
function isExcludedByInclude(name: string, { include }: InterfaceGlobs): boolean {
  return include.length > 0 && !include.some((glob) => matchesGlob(name, glob));
}
