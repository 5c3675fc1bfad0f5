import type { Source } from "../host/host.ts";
import type { InterfaceTraits } from "../host/interface_traits.ts";
import { type InterfaceCounters, parseNetDev } from "../parse/net_dev.ts";
import type { Traffic } from "../types.ts";
import {
  chooseInterface,
  type InterfaceDecision,
  type InterfaceLists,
  isDialUp,
  mayLieWithin,
} from "./interface_filter.ts";
import { TrafficSum } from "./traffic_total.ts";

/** Tells the traits of an interface seen for the first time; `undefined` when nothing is known of it. */
export type AskTraits = (
  name: string,
) => InterfaceTraits | undefined | Promise<InterfaceTraits | undefined>;

/** An interface and why it is counted or not. */
export interface InterfaceVerdict extends InterfaceDecision {
  name: string;
}

interface Nic {
  readonly name: string;
  traits: InterfaceTraits | undefined;
  answered: boolean;
  decision: InterfaceDecision | undefined;
  seenInRound: number;
}

/**
 * Traffic of the interfaces that matter, from `/proc/net/dev`.
 *
 * Each interface is judged once, when it is first seen, and anew when it returns after it went. One
 * that comes later adds what it brings along to the total, but not to the speed; how its bytes are
 * added up is told in {@linkcode TrafficSum}.
 */
export class Network {
  readonly #source: Source;
  readonly #traits: AskTraits;
  readonly #lists: InterfaceLists;
  readonly #monotonicMs: () => number;
  readonly #parse: typeof parseNetDev;
  readonly #nics = new Map<string, Nic>();
  readonly #undecided = new Set<Nic>();
  /** What has passed so far. */
  readonly sum = new TrafficSum();
  #deviceSeen = false;
  #round = 0;
  #seen = 0;

  /**
   * `source` is `net/dev` of the network to be watched, below `/proc/1` where that is another's; or
   * a text of another form, and what reads that.
   */
  constructor(
    source: Source,
    traits: AskTraits,
    options: {
      lists: InterfaceLists;
      monotonicMs: () => number;
      parse?: typeof parseNetDev;
    },
  ) {
    this.#source = source;
    this.#traits = traits;
    this.#lists = options.lists;
    this.#monotonicMs = options.monotonicMs;
    this.#parse = options.parse ?? parseNetDev;
  }

  /**
   * The traffic up to now; `undefined` without `net/dev` and while the first interfaces are not judged.
   *
   * @throws {SyntaxError} When the kernel's text can't be read.
   */
  collect(): Traffic | undefined {
    const atMs = this.look();
    return atMs === undefined ? undefined : this.sum.at(atMs);
  }

  /**
   * Adds what has passed to the sum, without a step of the speed; the moment of the look, or
   * `undefined` as for {@linkcode Network.collect}.
   *
   * @throws {SyntaxError} When the kernel's text can't be read.
   */
  look(): number | undefined {
    const text = this.#source.read();
    if (text === undefined) return undefined;
    const atMs = this.#monotonicMs();
    this.#round++;
    this.#seen = 0;
    const counters = this.#parse(text, (name) => this.#wants(name));
    if (this.#undecided.size > 0) this.#judge(counters);
    for (const now of counters) {
      if (this.#nics.get(now.name)?.decision?.counted) this.sum.add(now);
    }
    if (this.#seen !== this.#nics.size) this.#forgetGone();
    if (this.#undecided.size > 0 && this.sum.isEmpty()) return undefined;
    return atMs;
  }

  /** What was decided for each interface that was there at the last look, in the kernel's order. */
  interfaces(): InterfaceVerdict[] {
    return Array.from(
      this.#nics.values(),
      ({ name, decision }) => ({ name, ...decision ?? { counted: false, rule: "not known yet" } }),
    );
  }

  #wants(name: string): boolean {
    const nic = this.#nics.get(name) ?? this.#meet(name);
    if (nic.seenInRound !== this.#round) this.#seen++;
    nic.seenInRound = this.#round;
    return nic.decision?.counted ?? true;
  }

  #meet(name: string): Nic {
    const nic: Nic = {
      name,
      traits: undefined,
      answered: true,
      decision: undefined,
      seenInRound: 0,
    };
    this.#nics.set(name, nic);
    this.#undecided.add(nic);
    // The include list decides alone, and the loopback interface is known by its name.
    if (this.#lists.include.length > 0 || name === "lo") return nic;
    const answer = this.#traits(name);
    if (!(answer instanceof Promise)) {
      nic.traits = answer;
      return nic;
    }
    nic.answered = false;
    answer.then((traits) => nic.traits = traits, () => undefined).then(() => nic.answered = true);
    return nic;
  }

  #judge(counters: InterfaceCounters[]): void {
    let allAnswered = true;
    for (const nic of this.#undecided) {
      if (nic.traits?.device) this.#deviceSeen = true;
      allAnswered &&= nic.answered;
    }
    // Whether links that may lie within others count depends on what the others are and have moved.
    for (const last of [false, true]) {
      for (const nic of this.#undecided) {
        if (!nic.answered || mayLieWithin(nic.name, nic.traits) !== last) continue;
        if (!this.#deviceSeen && !allAnswered && nic.name !== "lo") continue;
        nic.decision = chooseInterface(nic.name, nic.traits, {
          lists: this.#lists,
          byName: !this.#deviceSeen,
          alone: last && this.#isAlone(),
          carried: last && this.#isCarried(counters),
        });
        this.#undecided.delete(nic);
      }
    }
  }

  #isAlone(): boolean {
    for (const { decision } of this.#nics.values()) {
      if (decision?.counted) return false;
    }
    return true;
  }

  #isCarried(counters: InterfaceCounters[]): boolean {
    return counters.some(({ name, sentBytes, receivedBytes }) =>
      sentBytes + receivedBytes > 0 && !isDialUp(name) && this.#nics.get(name)?.decision?.counted
    );
  }

  #forgetGone(): void {
    for (const nic of this.#nics.values()) {
      if (nic.seenInRound === this.#round) continue;
      this.#nics.delete(nic.name);
      this.#undecided.delete(nic);
      this.sum.leave(nic.name);
    }
  }
}
