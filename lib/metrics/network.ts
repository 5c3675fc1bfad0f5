/**
 * Network traffic: which interfaces count, their bytes since boot, and the speeds between two samples.
 *
 * @module
 */

import type { LinkKind, Links, Source } from "../host/host.ts";
import { type InterfaceTraits, NO_TRAITS, traitsOfLink } from "../host/interface_traits.ts";
import { quoteStart } from "../parse/bounded_text.ts";
import { type InterfaceCounters, parseNetDev } from "../parse/net_dev.ts";
import type { TimedBytes, TrafficBytes } from "../types.ts";
import {
  type InterfaceDecision,
  type InterfaceGlobs,
  isDialUp,
  KIND_UNKNOWN,
} from "./interface_filter.ts";
import {
  decideAll,
  type DecisionContext,
  hasDevice,
  isCounted,
  partOf,
  type TrackedInterface,
} from "./tracked_interfaces.ts";
import { TrafficTotal } from "./traffic_total.ts";

/** Looks up the traits of an interface where netlink tells none; `undefined` when they are unknown. */
export type LookupTraits = (name: string) => InterfaceTraits | undefined;

/** An interface and the decision on it. */
export interface InterfaceStatus extends InterfaceDecision {
  name: string;
}

/** Readings of `net/dev` until one is not crossed by a change of the interfaces. */
const MAX_READINGS = 3;

/** After this time the kernel's files tell all of a change: a bridge's ports follow its removal. */
const SETTLED_MS = 5_000;

/** Among more interfaces, as container hosts have them, changes are followed only every {@linkcode SETTLED_MS}. */
const CROWD = 100;

/**
 * Measures the traffic of counted interfaces.
 *
 * Each counted interface is asked for its counters by its index over netlink, which also tells which
 * interfaces have changed. At the start, where changes were lost, and where there is no netlink,
 * `/proc/net/dev` is read. New interfaces are looked up and count whole once they are decided, and all
 * others are decided again. What then begins to count goes on from its counters of that time. A bond counts by its members, which may come and go: after the
 * start, their bytes are added in its place.
 */
export class NetworkCollector {
  readonly #source: Source;
  readonly #traits: LookupTraits;
  readonly #globs: InterfaceGlobs;
  readonly #readAtMs: () => number;
  readonly #parse: typeof parseNetDev;
  readonly #links: Links | undefined;
  readonly #interfaces = new Map<string, TrackedInterface>();
  /** For decisions. */
  readonly #context: DecisionContext;
  /** Bytes of all counted interfaces. */
  readonly total = new TrafficTotal();
  #passed: TimedBytes | undefined;
  /** Netlink has reported a change that was not followed yet. */
  #hasChanged = false;
  /** When `net/dev` was read last. */
  #readAllAtMs = -Infinity;
  /** When all are looked up again after a change. */
  #settlesAtMs = Infinity;
  /** Some are to be decided, once they were looked up. */
  #isUndecided = false;
  #malformed: SyntaxError | undefined;

  /**
   * `source` is the `net/dev` of the measured network, or another text with its parser in
   * `options.parse` and the time of it in `options.readAtMs`; by default it is that of reading.
   * `links` are of the same network.
   */
  constructor(
    source: Source,
    traits: LookupTraits,
    options: {
      globs: InterfaceGlobs;
      readAtMs?: () => number;
      parse?: typeof parseNetDev;
      links?: Links | undefined;
    },
  ) {
    this.#source = source;
    this.#traits = traits;
    this.#globs = options.globs;
    this.#context = { interfaces: this.#interfaces, globs: options.globs };
    this.#readAtMs = options.readAtMs ?? (() => performance.now());
    this.#parse = options.parse ?? parseNetDev;
    this.#links = options.links;
  }

  /**
   * Totals; `undefined` without `net/dev` and while the first interfaces are undecided.
   *
   * @throws {SyntaxError} When every line of the kernel's text is malformed.
   */
  collect(): TrafficBytes | undefined {
    const atMs = this.sample();
    if (atMs === undefined) return undefined;
    this.#passed = this.total.passedAt(atMs);
    return this.total.bytes();
  }

  /** What had passed at the last call of {@linkcode collect}. */
  get passed(): TimedBytes | undefined {
    return this.#passed;
  }

  /**
   * Updates the total. Returns the time of the sample, or `undefined` as {@linkcode NetworkCollector.collect} does.
   *
   * @throws {SyntaxError} When every line of the kernel's text is malformed.
   */
  sample(): number | undefined {
    this.#followChanges();
    const ofCounted = this.#readCounted();
    const counters = ofCounted ?? this.#readAll();
    if (counters === undefined) return undefined;
    const atMs = this.#readAtMs();
    if (ofCounted === undefined) this.#settle(true);
    const isFirst = this.total.isEmpty();
    for (const now of counters) {
      const nic = this.#interfaces.get(now.name);
      if (nic !== undefined) this.#count(nic, now, isFirst);
    }
    return this.#isAtStart() ? undefined : atMs;
  }

  /** Follows what netlink tells of single interfaces; what else has changed is left to {@linkcode NetworkCollector.#readAll}. */
  #followChanges(): void {
    const links = this.#links;
    if (links === undefined || this.#interfaces.size === 0) return;
    const isTold = !this.#hasChanged;
    if (links.hasChanged()) this.#hasChanged = true;
    if (!isTold || links.changed === undefined || this.#isAtStart()) return;
    if (this.#hasChanged) this.#followIndexes(links, links.changed);
    this.#hasChanged = false;
    this.#settle(this.#interfaces.size <= CROWD);
  }

  /** The first interfaces are not decided yet. */
  #isAtStart(): boolean {
    return this.#isUndecided && this.total.isEmpty();
  }

  #followIndexes(links: Links, indexes: ReadonlySet<number>): void {
    const changed = new Map<number, LinkKind | undefined>();
    for (const index of indexes) changed.set(index, links.kind(index));
    const found = new Map<string, number | undefined>();
    for (const { name, index } of this.#interfaces.values()) {
      if (index === undefined || !changed.has(index)) found.set(name, index);
    }
    for (const [index, link] of changed) if (link !== undefined) found.set(link.name, index);
    this.#follow(found, changed);
  }

  /** Looks up and decides what is due: on all, or on new interfaces until the change is settled. */
  #settle(onAll: boolean): void {
    const isDue = performance.now() >= this.#settlesAtMs;
    if (isDue) this.#lookUpAgain();
    if (!this.#isUndecided) return;
    decideAll(this.#context, onAll || isDue);
    this.#isUndecided = false;
  }

  /** The counters of those that count; `undefined` when something is to be followed, or one can't be asked. */
  #readCounted(): InterfaceCounters[] | undefined {
    if (this.#links === undefined || this.#interfaces.size === 0) return undefined;
    const nowMs = performance.now();
    const isDue = this.#hasChanged || this.#isAtStart() ||
      (this.#links.changed === undefined && (this.#isUndecided || nowMs >= this.#settlesAtMs));
    const mayWait = this.#interfaces.size > CROWD && !this.total.isEmpty() &&
      nowMs < this.#readAllAtMs + SETTLED_MS;
    if (isDue && !mayWait) return undefined;
    const counters: InterfaceCounters[] = [];
    for (const nic of this.#interfaces.values()) {
      const { name, index } = nic;
      if (!nic.counted && !isCounted(nic, this.#context)) continue;
      const bytes = index === undefined ? undefined : this.#links.counters(index);
      if (bytes === undefined) return undefined;
      counters.push({ name, ...bytes });
    }
    return counters;
  }

  /** Reads all counters, and finds the interfaces to which they belong. */
  #readAll(): InterfaceCounters[] | undefined {
    this.#readAllAtMs = performance.now();
    for (let reading = 1;; reading++) {
      const text = this.#source.read();
      if (text === undefined) return undefined;
      this.#malformed = undefined;
      const counters = this.#parse(text, (error) => this.#malformed ??= error);
      if (counters.length === 0 && this.#malformed !== undefined) throw this.#malformed;
      const isOther = this.#hasChanged || counters.length !== this.#interfaces.size ||
        !counters.every(({ name }) => this.#interfaces.has(name));
      const found = isOther && this.#findIndexes(counters.map(({ name }) => name));
      // What was read and found holds together if nothing has changed meanwhile.
      this.#hasChanged = this.#links?.hasChanged() === true;
      if (this.#hasChanged && reading < MAX_READINGS) continue;
      if (found) this.#follow(found);
      for (const now of counters) {
        const nic = this.#interfaces.get(now.name);
        if (nic !== undefined) nic.last = now;
      }
      return counters;
    }
  }

  /**
   * The index of each name. Among hundreds, those that have no part in the total are asked only where
   * one that has was renamed or removed: it may be among them now.
   */
  #findIndexes(names: readonly string[]): Map<string, number | undefined> {
    const isCrowd = names.length > CROWD;
    const known = (name: string) => isCrowd ? this.#interfaces.get(name) : undefined;
    const hasPart = ({ counted, traits }: TrackedInterface) => counted || traits?.device;
    const found = new Map<string, number | undefined>();
    for (const name of names) {
      const nic = known(name);
      const isAsked = nic === undefined || hasPart(nic);
      found.set(name, isAsked ? this.#links?.find(name) : nic.index);
    }
    const isMoved = Array.from(this.#interfaces.values()).some((nic) =>
      hasPart(nic) && (!found.has(nic.name) || found.get(nic.name) !== nic.index)
    );
    if (!isCrowd || !isMoved) return found;
    return new Map(names.map((name) => [name, this.#links?.find(name)]));
  }

  /** Forgets interfaces that are gone or whose name another one has, and looks up new ones. */
  #follow(
    found: ReadonlyMap<string, number | undefined>,
    changed?: ReadonlyMap<number, LinkKind | undefined>,
  ): void {
    const isFirst = this.#interfaces.size === 0;
    // Missing ones first: an interface that was renamed continues from what its old name had.
    for (const nic of this.#interfaces.values()) {
      if (!found.has(nic.name) || found.get(nic.name) !== nic.index) this.#forget(nic);
    }
    for (const [name, index] of found) {
      const known = this.#interfaces.get(name);
      const link = index === undefined ? undefined : changed?.get(index);
      if (known !== undefined) {
        if (link !== undefined && this.#mayDiffer(known)) this.#lookUp(known, link);
        continue;
      }
      const nic: TrackedInterface = {
        ...{ name, index, traits: undefined, link: undefined, decision: undefined },
      };
      this.#interfaces.set(name, nic);
      this.#lookUp(nic, link);
    }
    if (isFirst || this.#settlesAtMs < Infinity) return;
    if (changed === undefined) this.#lookUpAgain();
    this.#settlesAtMs = performance.now() + SETTLED_MS;
  }

  #forget(nic: TrackedInterface): void {
    this.#interfaces.delete(nic.name);
    this.total.markGone(nic.name);
    this.#isUndecided = true;
  }

  /** Adds what has passed an interface, or goes on from its counters without adding it. */
  #count(nic: TrackedInterface, now: InterfaceCounters, isFirst: boolean): void {
    const index = nic.index ?? nic.traits?.index;
    const { bond, bondSlave } = partOf(nic, this.#globs);
    const counted = isCounted(nic, this.#context);
    // One that stops counting has done so within the interval: nothing of it is lost.
    if (counted || nic.counted) {
      // At the start a bond has what has passed former members as well, and lacks what is not its own.
      if (nic.counted === false || (isFirst ? bondSlave : bond)) this.total.skip(now, index);
      else this.total.add(now, index);
    }
    nic.counted = counted;
    nic.last = now;
  }

  /** Looks up what it is; `told` is what netlink has told just now. */
  #lookUp(nic: TrackedInterface, told?: LinkKind): void {
    this.#isUndecided = true;
    if (nic.name === "lo") return;
    const { index } = nic;
    nic.link = told ?? (index === undefined ? undefined : this.#links?.kind(index));
    nic.traits = nic.link === undefined || index === undefined
      ? this.#traits(nic.name)
      : traitsOfLink(nic.link, index);
  }

  /** Looks at what may have joined or left another interface; a dial-up link carries on as it began. */
  #lookUpAgain(): void {
    this.#settlesAtMs = Infinity;
    if (this.#globs.include.length > 0) return;
    const noDevices = !hasDevice(this.#interfaces);
    for (const nic of this.#interfaces.values()) {
      const { device, bondSlave, bridgePort } = nic.traits ?? NO_TRAITS;
      const hasPart = nic.counted || device || bondSlave || (bridgePort && noDevices);
      if (hasPart && this.#mayDiffer(nic)) this.#lookUp(nic);
    }
  }

  #mayDiffer(nic: TrackedInterface): boolean {
    return this.#globs.include.length === 0 && nic.decision !== undefined &&
      !isDialUp(nic.name, nic);
  }

  /** The error of a malformed line of the last text, which was skipped; or an interface of which the kind or the carrier is unknown. */
  missingPart(): Error | undefined {
    if (this.#malformed !== undefined) return this.#malformed;
    for (const { name, decision } of this.#interfaces.values()) {
      if (decision?.rule === KIND_UNKNOWN) {
        return new Error(`Cannot tell what ${quoteStart(name)} is: it counts by its name`);
      }
    }
    return undefined;
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
}
