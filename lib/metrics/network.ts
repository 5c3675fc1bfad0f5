/**
 * Network traffic: which interfaces count, their bytes since boot, and the speeds between two samples.
 *
 * @module
 */

import type { InterfaceTraits, Links, Source } from "../host/host.ts";
import { quoteStart } from "../parse/bounded_text.ts";
import { type InterfaceCounters, parseNetDev } from "../parse/net_dev.ts";
import type { TimedBytes, TrafficBytes } from "../types.ts";
import {
  decideInterface,
  decisionOrder,
  type InterfaceDecision,
  type InterfaceGlobs,
  isDialUp,
  KIND_UNKNOWN,
} from "./interface_filter.ts";
import { TrafficTotal } from "./traffic_total.ts";

/** Looks up the traits of an interface where netlink tells none; `undefined` when they are unknown. */
export type LookupTraits = (name: string) => InterfaceTraits | undefined;

/** An interface and the decision on it. */
export interface InterfaceStatus extends InterfaceDecision {
  name: string;
}

/** An interface under its name. After a rename it is another one here, but the same in the total. */
interface TrackedInterface {
  readonly name: string;
  /** By the kernel; `undefined` where that can't be asked. */
  readonly index: number | undefined;
  traits?: InterfaceTraits | undefined;
  decision?: InterfaceDecision | undefined;
  /** Whether it counted in the last sample; absent before it was decided. */
  counted?: boolean | undefined;
  /** Its counters when they were read last. */
  last?: InterfaceCounters | undefined;
}

/**
 * Measures the traffic of counted interfaces.
 *
 * Each counted interface is asked for its counters by its index over netlink, which also tells which
 * interfaces have changed. At the start, where changes were lost, and where there is no netlink,
 * `/proc/net/dev` is read. A change decides anew on all interfaces. A new one counts whole; what begins
 * to count later goes on from its counters of that time.
 */
export class NetworkCollector {
  readonly #source: Source;
  readonly #lookup: LookupTraits;
  readonly #globs: InterfaceGlobs;
  readonly #readAtMs: () => number;
  readonly #parse: typeof parseNetDev;
  readonly #links: Links | undefined;
  readonly #interfaces = new Map<string, TrackedInterface>();
  /** Bytes of all counted interfaces. */
  readonly total = new TrafficTotal();
  #passed: TimedBytes | undefined;
  #malformed: SyntaxError | undefined;

  /**
   * `source` is the `net/dev` of the measured network, or another text with its parser in
   * `options.parse` and the time of it in `options.readAtMs`; by default it is that of reading.
   * `links` are of the same network.
   */
  constructor(
    source: Source,
    lookup: LookupTraits,
    options: {
      globs: InterfaceGlobs;
      readAtMs?: () => number;
      parse?: typeof parseNetDev;
      links?: Links | undefined;
    },
  ) {
    this.#source = source;
    this.#lookup = lookup;
    this.#globs = options.globs;
    this.#readAtMs = options.readAtMs ?? (() => performance.now());
    this.#parse = options.parse ?? parseNetDev;
    this.#links = options.links;
  }

  /**
   * Totals; `undefined` without `net/dev`.
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
   * Updates the total. Returns the time of the sample; `undefined` without `net/dev`.
   *
   * @throws {SyntaxError} When every line of the kernel's text is malformed.
   */
  sample(): number | undefined {
    const changes = this.#interfaces.size === 0 ? undefined : this.#links?.changes();
    if (changes !== undefined && changes.size > 0) this.#followChanges(changes);
    const counters = (changes && this.#readCounted()) ?? this.#readAll(changes === undefined);
    if (counters === undefined) return undefined;
    const atMs = this.#readAtMs();
    for (const now of counters) {
      const nic = this.#interfaces.get(now.name);
      if (nic !== undefined) this.#count(nic, now);
    }
    return atMs;
  }

  /** The counters of those that count, by their indexes; `undefined` when one can't be asked. */
  #readCounted(): InterfaceCounters[] | undefined {
    const counters: InterfaceCounters[] = [];
    for (const nic of this.#interfaces.values()) {
      if (!nic.counted && !nic.decision?.counted) continue;
      const now = this.#readCounters(nic);
      if (now === undefined) return undefined;
      counters.push(now);
    }
    return counters;
  }

  #readCounters({ name, index }: TrackedInterface): InterfaceCounters | undefined {
    const bytes = index === undefined ? undefined : this.#links?.counters(index);
    return bytes && { name, ...bytes };
  }

  /** Reads `net/dev`, and finds its interfaces where they are others or some changes are unknown. */
  #readAll(isUnknown: boolean): InterfaceCounters[] | undefined {
    const text = this.#source.read();
    if (text === undefined) return undefined;
    this.#malformed = undefined;
    const counters = this.#parse(text, (error) => this.#malformed ??= error);
    if (counters.length === 0 && this.#malformed !== undefined) throw this.#malformed;
    const isSame = counters.length === this.#interfaces.size &&
      counters.every(({ name }) => this.#interfaces.has(name));
    if (isSame && (this.#links === undefined || !isUnknown)) return counters;
    const found = new Map<string, number | undefined>();
    const indexes = new Set<number>();
    for (const { name } of counters) {
      const index = this.#links?.find(name);
      // Names may be swapped between two questions; then the next sample follows that.
      if (index !== undefined && indexes.has(index)) continue;
      if (index !== undefined) indexes.add(index);
      found.set(name, index);
    }
    this.#follow(found);
    for (const now of counters) {
      const nic = this.#interfaces.get(now.name);
      if (nic !== undefined) nic.last = now;
    }
    this.#decideAll();
    // A name in the text may have been another interface's.
    return (this.#links && this.#readCounted()) ?? counters;
  }

  #followChanges(changed: ReadonlySet<number>): void {
    const found = new Map<string, number | undefined>();
    for (const { name, index } of this.#interfaces.values()) {
      if (index === undefined || !changed.has(index)) found.set(name, index);
    }
    const known = new Map<number, InterfaceTraits>();
    for (const index of changed) {
      const traits = this.#links?.traits(index);
      if (traits === undefined) continue;
      known.set(index, traits);
      found.set(traits.name, index);
    }
    this.#follow(found, known);
    this.#decideAll();
  }

  /** Forgets interfaces that are gone or whose name another one has, and looks up new and changed ones. */
  #follow(
    found: ReadonlyMap<string, number | undefined>,
    changed?: ReadonlyMap<number, InterfaceTraits>,
  ): void {
    // Missing ones first: an interface that was renamed continues from what its old name had.
    for (const { name, index } of this.#interfaces.values()) {
      if (found.has(name) && found.get(name) === index) continue;
      this.#interfaces.delete(name);
      this.total.markGone(name);
    }
    for (const [name, index] of found) {
      const known = this.#interfaces.get(name);
      const traits = index === undefined ? undefined : changed?.get(index);
      if (known !== undefined && changed !== undefined && traits === undefined) continue;
      const nic = known ?? { name, index };
      this.#interfaces.set(name, nic);
      this.#lookUp(nic, traits);
    }
  }

  /** Looks up what an interface is. Where nothing tells after the seal, it stays what it was. */
  #lookUp(nic: TrackedInterface, traits?: InterfaceTraits): void {
    const { name, index } = nic;
    if (name === "lo") return;
    nic.traits = traits ?? (index === undefined ? undefined : this.#links?.traits(index)) ??
      this.#lookup(name) ?? nic.traits;
    nic.last ??= this.#readCounters(nic);
  }

  #decideAll(): void {
    const all = Array.from(this.#interfaces.values());
    // A dial-up link carries on as it began.
    for (const nic of all) if (!isDialUp(nic.name, nic.traits)) nic.decision = undefined;
    // Links that others may carry depend on the decisions on those and their traffic.
    const carriers = all.filter(({ decision }) => decision?.counted);
    const noDevices = !all.some(({ traits }) => traits?.hasDevice);
    const undecided = all.filter(({ decision }) => decision === undefined)
      .map((nic) => ({ nic, order: decisionOrder(nic.name, nic.traits) }));
    for (const { nic } of undecided.toSorted((a, b) => a.order - b.order)) {
      nic.decision = decideInterface(nic.name, nic.traits, {
        globs: this.#globs,
        noDevices,
        isOnlyLink: carriers.length === 0,
        hasTraffic: carriers.some((it) =>
          it.last !== undefined && it.last.sentBytes + it.last.receivedBytes > 0 &&
          !isDialUp(it.name, it.traits)
        ),
      });
      if (nic.decision.counted) carriers.push(nic);
    }
    // What begins to count later goes on from its counters of that time.
    for (const nic of all) if (nic.decision?.counted === false) nic.counted ??= false;
  }

  /** Adds what has passed an interface, or goes on from its counters without adding it. */
  #count(nic: TrackedInterface, now: InterfaceCounters): void {
    const index = nic.index ?? nic.traits?.index;
    const counted = nic.decision?.counted;
    // One that stops counting has done so within the interval: nothing of it is lost.
    if (counted || nic.counted) {
      if (nic.counted === false) this.total.skip(now, index);
      else this.total.add(now, index);
    }
    nic.counted = counted;
    nic.last = now;
  }

  /** The error of a malformed line of the last text, which was skipped; or an interface of unknown kind that counts. */
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
