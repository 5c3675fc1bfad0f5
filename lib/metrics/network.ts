import type { Source } from "../host/host.ts";
import type { InterfaceTraits } from "../host/interface_traits.ts";
import { type InterfaceCounters, parseNetDev } from "../parse/net_dev.ts";
import type { Traffic } from "../types.ts";
import {
  decideInterface,
  type InterfaceDecision,
  type InterfaceGlobs,
  isDialUp,
  mayBeEncapsulated,
} from "./interface_filter.ts";
import { TrafficTotal } from "./traffic_total.ts";

/** Tells the traits of an interface seen for the first time; `undefined` when nothing is known of it. */
export type LookupTraits = (
  name: string,
) => InterfaceTraits | undefined | Promise<InterfaceTraits | undefined>;

/** An interface and why it is counted or not. */
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
 * Traffic of the interfaces that matter, from `/proc/net/dev`.
 *
 * Each interface is judged once, when it is first seen, and anew when it returns after it went. One
 * that comes later adds what it brings along to the total, but not to the speed; how its bytes are
 * added up is told in {@linkcode TrafficTotal}.
 */
export class NetworkCollector {
  readonly #source: Source;
  readonly #traits: LookupTraits;
  readonly #globs: InterfaceGlobs;
  readonly #monotonicMs: () => number;
  readonly #parse: typeof parseNetDev;
  readonly #interfaces = new Map<string, TrackedInterface>();
  readonly #undecided = new Set<TrackedInterface>();
  /** What has passed so far. */
  readonly total = new TrafficTotal();
  #deviceSeen = false;
  #round = 0;
  #seen = 0;

  /**
   * `source` is `net/dev` of the network to be watched, below `/proc/1` where that is another's; or
   * a text of another form, and what reads that.
   */
  constructor(
    source: Source,
    traits: LookupTraits,
    options: {
      lists: InterfaceGlobs;
      monotonicMs: () => number;
      parse?: typeof parseNetDev;
    },
  ) {
    this.#source = source;
    this.#traits = traits;
    this.#globs = options.lists;
    this.#monotonicMs = options.monotonicMs;
    this.#parse = options.parse ?? parseNetDev;
  }

  /**
   * The traffic up to now; `undefined` without `net/dev` and while the first interfaces are not judged.
   *
   * @throws {SyntaxError} When the kernel's text can't be read.
   */
  collect(): Traffic | undefined {
    const atMs = this.sample();
    return atMs === undefined ? undefined : this.total.trafficAt(atMs);
  }

  /**
   * Adds what has passed to the sum, without a step of the speed; the moment of the look, or
   * `undefined` as for {@linkcode NetworkCollector.collect}.
   *
   * @throws {SyntaxError} When the kernel's text can't be read.
   */
  sample(): number | undefined {
    const text = this.#source.read();
    if (text === undefined) return undefined;
    const atMs = this.#monotonicMs();
    this.#round++;
    this.#seen = 0;
    const counters = this.#parse(text, (name) => this.#isWanted(name));
    if (this.#undecided.size > 0) this.#decide(counters);
    for (const now of counters) {
      if (this.#interfaces.get(now.name)?.decision?.counted) this.total.add(now);
    }
    if (this.#seen !== this.#interfaces.size) this.#pruneMissing();
    if (this.#undecided.size > 0 && this.total.isEmpty()) return undefined;
    return atMs;
  }

  /** What was decided for each interface that was there at the last look, in the kernel's order. */
  interfaces(): InterfaceStatus[] {
    return Array.from(
      this.#interfaces.values(),
      ({ name, decision }) => ({ name, ...decision ?? { counted: false, rule: "not known yet" } }),
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
    // The include list decides alone, and the loopback interface is known by its name.
    if (this.#globs.include.length > 0 || name === "lo") return nic;
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
    // Whether links that may lie within others count depends on what the others are and have moved.
    for (const last of [false, true]) {
      for (const nic of this.#undecided) {
        if (!nic.answered || mayBeEncapsulated(nic.name, nic.traits) !== last) continue;
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
