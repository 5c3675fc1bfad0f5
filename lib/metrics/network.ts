/**
 * Network traffic: which interfaces count, their bytes since boot, and the speeds between two samples.
 *
 * @module
 */

import type { Link, Links, Source } from "../host/host.ts";
import { type InterfaceTraits, NO_TRAITS } from "../host/interface_traits.ts";
import { quoteStart } from "../parse/bounded_text.ts";
import { matchesGlob } from "../parse/glob.ts";
import { type InterfaceCounters, parseNetDev } from "../parse/net_dev.ts";
import type { TimedBytes, TrafficBytes } from "../types.ts";
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
  /** What it is, where the kernel tells; under its name there may be another one later. */
  link: Link | undefined;
  traits: InterfaceTraits | undefined;
  /** Number of look-ups of its traits; only the last answer is taken. */
  lookups: number;
  answered: boolean;
  decision: InterfaceDecision | undefined;
  /** Whether it counted in the last sample; absent before it was decided. */
  counted?: boolean;
  /** Whether it was part of a bond in the last sample. */
  isMember: boolean;
  /** Its counters are followed while it does not count, because it has counted or is part of a bond. */
  isFollowed: boolean;
  /** Its counters in the last sample, while it is undecided. */
  seen?: InterfaceCounters;
  /** Present for interfaces that counted at the start. */
  statistics?: InterfaceStatistics;
}

/** Readings of `net/dev` until one is not crossed by a change of the interfaces. */
const MAX_READINGS = 3;

/** What was made or removed together, such as a bridge and its ports, is the same after this time. */
const SETTLED_MS = 5_000;

/**
 * Measures the traffic of counted interfaces, from `/proc/net/dev`.
 *
 * An interface is its index: another one that takes its name is new, and one that is renamed goes on.
 * Each is decided when it appears, and again when something changes that its decision depends on, such
 * as a bond; it then goes on with its own counters. One that appears later adds its counters to the
 * total, but not to the rate; see {@linkcode TrafficTotal}.
 */
export class NetworkCollector {
  readonly #source: Source;
  readonly #traits: LookupTraits;
  readonly #globs: InterfaceGlobs;
  readonly #readAtMs: () => number;
  readonly #parse: typeof parseNetDev;
  readonly #links: Links | undefined;
  #openStatistics: ((name: string) => InterfaceStatistics) | undefined;
  readonly #interfaces = new Map<string, TrackedInterface>();
  readonly #undecided = new Set<TrackedInterface>();
  /** Bytes of all counted interfaces. */
  readonly total = new TrafficTotal();
  #passed: TimedBytes | undefined;
  /** Those that count although nothing tells what they are. */
  readonly #unknown = new Set<TrackedInterface>();
  #deviceSeen = false;
  /** Whether all are to be decided again, once all their traits are there. */
  #isOutdated = false;
  /** When the traits are looked up once more after a change. */
  #settlesAtMs = Infinity;
  /** Some have been decided since the last sample. */
  #isDecided = false;
  /** Interfaces have changed since the last sample. */
  #linksHaveChanged = false;
  /** The interfaces were still changing when they were read. */
  #areLinksUnsure = false;
  /** The last sample had only what counts. */
  #wasPartial = false;
  #malformed: SyntaxError | undefined;
  /** The counted interfaces among many. */
  #counted: readonly TrackedInterface[] | undefined;
  /** Until then their statistics suffice. */
  #sufficesUntilMs: number | undefined;

  /**
   * `source` is the `net/dev` of the measured network, or another text with its parser in
   * `options.parse` and the time of it in `options.readAtMs`; by default it is that of reading.
   * `links` and `openStatistics`, which opens the counters of one interface, are of the same network.
   */
  constructor(
    source: Source,
    traits: LookupTraits,
    options: {
      globs: InterfaceGlobs;
      readAtMs?: () => number;
      parse?: typeof parseNetDev;
      links?: Links | undefined;
      openStatistics?: ((name: string) => InterfaceStatistics) | undefined;
    },
  ) {
    this.#source = source;
    this.#traits = traits;
    this.#globs = options.globs;
    this.#readAtMs = options.readAtMs ?? (() => performance.now());
    this.#parse = options.parse ?? parseNetDev;
    this.#links = options.links;
    this.#openStatistics = options.openStatistics;
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
    return this.#sampleCounted() ?? this.#sampleAll();
  }

  /** Updates the total from the counted interfaces alone; `undefined` when that does not suffice. */
  #sampleCounted(): number | undefined {
    if (this.#counted === undefined) return undefined;
    const isFresh = performance.now() < (this.#sufficesUntilMs ?? 0);
    const counters = isFresh && readStatistics(this.#counted);
    if (!counters) return undefined;
    const atMs = this.#readAtMs();
    for (const now of counters) this.total.add(now);
    this.#wasPartial = true;
    return atMs;
  }

  #sampleAll(): number | undefined {
    const before = this.#counted && readStatistics(this.#counted);
    const counters = this.#readAll();
    if (counters === undefined) return undefined;
    const atMs = this.#readAtMs();
    if (this.#settlesAtMs < Infinity && performance.now() >= this.#settlesAtMs) this.#lookUpAgain();
    if (this.#undecided.size > 0 || this.#isOutdated) this.#decide(counters);
    if (this.#isDecided || this.#linksHaveChanged) this.#count(counters);
    else this.#countOn(counters);
    this.#wasPartial = false;
    if (this.#undecided.size === 0) this.#openStatisticsOnce();
    const isLarge = this.#interfaces.size > MANY_INTERFACES && this.#undecided.size === 0;
    this.#counted = isLarge ? this.#countedInterfaces() : undefined;
    if (this.#counted === undefined) this.#sufficesUntilMs = undefined;
    else {
      const after = readStatistics(this.#counted);
      const counted = counters.filter(({ name }) => this.#interfaces.get(name)?.counted);
      this.#sufficesUntilMs = isBetween(before, counted, after) ? atMs + REFRESH_MS : undefined;
    }
    if (this.#undecided.size > 0 && this.total.isEmpty()) return undefined;
    return atMs;
  }

  /**
   * All counters, with the interfaces to which they belong: read again when those change meanwhile.
   * `undefined` without `net/dev`.
   */
  #readAll(): InterfaceCounters[] | undefined {
    let hasChanged = this.#areLinksUnsure;
    for (let reading = 1;; reading++) {
      const text = this.#source.read();
      if (text === undefined) return undefined;
      this.#malformed = undefined;
      const counters = this.#parse(text, (error) => this.#malformed ??= error);
      if (counters.length === 0 && this.#malformed !== undefined) throw this.#malformed;
      let found: Map<string, Link | undefined> | undefined;
      for (const { name } of counters) {
        const nic = this.#interfaces.get(name);
        if (nic === undefined || (hasChanged && this.#mayMatter(nic))) {
          found ??= new Map();
          found.set(name, this.#links?.find(name));
        }
      }
      // Ports join bridges unseen, which matters in containers.
      if (hasChanged && !this.#deviceSeen && this.#settlesAtMs === Infinity) this.#lookUpLater();
      hasChanged = this.#links?.hasChanged() === true;
      this.#linksHaveChanged ||= hasChanged && !this.#wasPartial;
      if (hasChanged && reading < MAX_READINGS) continue;
      this.#areLinksUnsure = hasChanged;
      if (found !== undefined || counters.length !== this.#interfaces.size) {
        this.#follow(counters, found ?? new Map());
      }
      return counters;
    }
  }

  /** Whether to look at it after a change; not at the hundreds of a container host that never count. */
  #mayMatter({ isFollowed, traits }: TrackedInterface): boolean {
    return isFollowed || traits?.device || this.#interfaces.size <= MANY_INTERFACES;
  }

  /** Forgets interfaces that are gone or whose name another one has, and looks up new ones. */
  #follow(counters: InterfaceCounters[], found: ReadonlyMap<string, Link | undefined>): void {
    const present = new Set(counters.map(({ name }) => name));
    // Missing ones first: an interface that was renamed continues from what its old name had.
    for (const nic of this.#interfaces.values()) {
      const link = found.has(nic.name) ? found.get(nic.name) : nic.link;
      if (!present.has(nic.name) || link?.index !== nic.link?.index) this.#forget(nic);
      else if (link?.isSlave !== nic.link?.isSlave) this.#move(nic, link);
    }
    for (const name of present) {
      if (!this.#interfaces.has(name)) this.#track(name, found.get(name));
    }
  }

  /**
   * Adds what has passed the counted interfaces. A bond counts in place of its members, and its counters
   * are the sum of theirs. So it starts from those that it has when it appears, and when something
   * changes, such as a member that joins or leaves, the members' own bytes count.
   */
  #count(counters: InterfaceCounters[]): void {
    const isFirst = this.total.isEmpty();
    const byMembers = !isFirst &&
      (this.#linksHaveChanged || (this.#isDecided && this.#haveMembersMoved()));
    this.#isDecided = false;
    for (const now of counters) {
      const nic = this.#interfaces.get(now.name);
      if (nic === undefined) continue;
      const { link, traits, decision } = nic;
      const counts = decision?.counted;
      const index = link?.index ?? traits?.index;
      if (counts === undefined) nic.seen = now;
      if (byMembers && isBond(nic)) this.total.skip(now, index);
      else if (counts || nic.counted || (byMembers && this.#countsByBond(nic))) {
        // Of the bytes while it did not count, at most those since the last sample are its own.
        const isNew = nic.counted === undefined;
        if (isNew || nic.counted || (nic.isFollowed && !this.#wasPartial)) {
          this.total.add(now, index);
        } else this.total.skip(now, index);
      } else if (isMember(nic) || (nic.isFollowed && counts === false)) this.total.skip(now, index);
      nic.isMember = isMember(nic);
      nic.isFollowed ||= counts || nic.isMember || isBond(nic);
      if (counts !== undefined) nic.counted = counts;
    }
    this.#linksHaveChanged = false;
  }

  /** Adds what has passed while nothing has changed, as in nearly each report. */
  #countOn(counters: InterfaceCounters[]): void {
    for (const now of counters) {
      const nic = this.#interfaces.get(now.name);
      if (nic?.counted) this.total.add(now);
      else if (nic?.isFollowed) this.total.skip(now);
    }
  }

  #haveMembersMoved(): boolean {
    return Array.from(this.#interfaces.values()).some((nic) =>
      isNewBond(nic) || nic.isMember !== isMember(nic)
    );
  }

  /** Whether its bytes are those of a bond that counts. */
  #countsByBond(nic: TrackedInterface): boolean {
    const bond = this.#interfaces.get(nic.traits?.master ?? "");
    return isMember(nic) && bond?.decision?.counted !== false;
  }

  /** Before the process is sealed; an interface that appears later has no statistics. */
  #openStatisticsOnce(): void {
    const open = this.#openStatistics;
    this.#openStatistics = undefined;
    if (open === undefined) return;
    for (const nic of this.#countedInterfaces().slice(0, MAX_OPEN)) nic.statistics = open(nic.name);
  }

  #countedInterfaces(): TrackedInterface[] {
    return Array.from(this.#interfaces.values()).filter(({ counted }) => counted);
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

  #track(name: string, link: Link | undefined): void {
    const nic: TrackedInterface = {
      ...{ name, link, traits: undefined, lookups: 0, answered: true, decision: undefined },
      ...{ isMember: false, isFollowed: false },
    };
    this.#interfaces.set(name, nic);
    this.#undecided.add(nic);
    if (name !== "lo" && !isExcludedByInclude(name, this.#globs)) this.#lookUp(nic);
  }

  #lookUp(nic: TrackedInterface): void {
    const lookup = ++nic.lookups;
    const answer = this.#traits(nic.name);
    if (!(answer instanceof Promise)) {
      nic.traits = ownTraits(nic, answer);
      return;
    }
    nic.answered = false;
    answer.catch(() => undefined).then((traits) => {
      if (nic.lookups !== lookup) return;
      nic.traits = ownTraits(nic, traits);
      // Another one has its name by now: nothing tells what this one was.
      if (nic.traits !== traits) nic.seen = undefined;
      nic.answered = true;
    });
  }

  /** Looks up what may have joined or left another interface, and decides all anew after the answers. */
  #lookUpAgain(): void {
    this.#settlesAtMs = Infinity;
    if (this.#globs.include.length > 0) return;
    this.#isOutdated = true;
    for (const nic of this.#interfaces.values()) {
      const { device, bondSlave, bridgePort } = nic.traits ?? NO_TRAITS;
      const mayDiffer = nic.counted || device || bondSlave || (bridgePort && !this.#deviceSeen);
      if (mayDiffer && nic.answered) this.#lookUp(nic);
    }
  }

  #lookUpLater(): void {
    this.#settlesAtMs = performance.now() + SETTLED_MS;
  }

  /** An interface has joined a bond or left it: its decision follows at once, the words for it later. */
  #move(nic: TrackedInterface, link: Link | undefined): void {
    nic.link = link;
    const bondSlave = link?.isSlave === true;
    nic.traits = { ...nic.traits ?? NO_TRAITS, bondSlave, deviceSlave: false };
    if (nic.decision !== undefined) {
      nic.decision = this.#decisionOn(nic);
      this.#isOutdated = true;
    }
    this.#lookUp(nic);
  }

  #decide(counters: InterfaceCounters[]): void {
    this.#isDecided = true;
    const all = Array.from(this.#interfaces.values());
    const isFirst = all.every(({ counted }) => counted === undefined);
    // Its members may have counted until now.
    const newBonds = isFirst ? [] : all.filter((nic) => isUndecidedBond(nic) && nic.lookups === 1);
    if (newBonds.length > 0) this.#lookUpAgain();
    for (const nic of newBonds) this.#lookUp(nic);
    const allAnswered = all.every(({ answered }) => answered);
    this.#deviceSeen = all.some(({ traits }) => traits?.device);
    if (this.#isOutdated && allAnswered) {
      this.#isOutdated = false;
      for (const nic of all) {
        // With the traffic so far a link's decision would be another one than at its start.
        if (isDialUp(nic.name)) continue;
        nic.decision = undefined;
        this.#undecided.add(nic);
      }
    }
    let mayMoveOthers = false;
    // Links that others may carry depend on the decisions on those and their traffic.
    for (const last of [false, true]) {
      for (const nic of this.#undecided) {
        if (!nic.answered || mayBeCarriedByAnother(nic.name, nic.traits) !== last) continue;
        if (!this.#deviceSeen && !allAnswered && nic.name !== "lo") continue;
        if (!isFirst && !allAnswered && isUndecidedBond(nic)) continue;
        nic.decision = this.#decisionOn(nic, last ? counters : []);
        mayMoveOthers ||= nic.counted === undefined && mayHaveMembers(nic);
        this.#undecided.delete(nic);
        if (nic.decision.rule === KIND_UNKNOWN) this.#unknown.add(nic);
        else this.#unknown.delete(nic);
      }
    }
    if (mayMoveOthers && !isFirst) this.#lookUpLater();
  }

  #decisionOn(nic: TrackedInterface, counters: InterfaceCounters[] = []): InterfaceDecision {
    return decideInterface(nic.name, nic.traits, {
      globs: this.#globs,
      noDevices: !this.#deviceSeen,
      isOnlyLink: this.#hasNoneCounted(nic),
      hasTraffic: this.#hasTraffic(counters),
    });
  }

  #hasNoneCounted(but: TrackedInterface): boolean {
    for (const nic of this.#interfaces.values()) {
      if (nic !== but && nic.decision?.counted) return false;
    }
    return true;
  }

  #hasTraffic(counters: InterfaceCounters[]): boolean {
    return counters.some(({ name, sentBytes, receivedBytes }) =>
      sentBytes + receivedBytes > 0 && !isDialUp(name) &&
      this.#interfaces.get(name)?.decision?.counted
    );
  }

  #forget(nic: TrackedInterface): void {
    // It came and went between two samples, and what it is was told between them.
    if (nic.seen !== undefined && nic.decision === undefined && nic.answered) {
      const { counted } = this.#decisionOn(nic);
      if (counted) this.total.add(nic.seen, nic.link?.index ?? nic.traits?.index);
    }
    this.#interfaces.delete(nic.name);
    this.#undecided.delete(nic);
    this.#unknown.delete(nic);
    this.total.markGone(nic.name);
    if (nic.decision === undefined || !mayHaveMembers(nic)) return;
    this.#lookUpAgain();
    this.#lookUpLater();
  }
}

/** The traits, unless they are those of another interface: of a later one, or one of another network. */
function ownTraits(
  { link }: TrackedInterface,
  traits: InterfaceTraits | undefined,
): InterfaceTraits | undefined {
  const isOther = link !== undefined && traits?.index !== undefined && traits.index !== link.index;
  return isOther ? undefined : traits;
}

/** Whether it is part of a bond; by the kernel's flag until its traits are there. */
function isMember({ link, traits, decision }: TrackedInterface): boolean {
  const byFlag = decision === undefined && link?.isSlave === true;
  return traits?.bondSlave ?? byFlag;
}

/** Whether it bonds others; by the kernel's flag until its traits are there. */
function isBond({ link, traits }: TrackedInterface): boolean {
  return traits?.bond ?? link?.isMaster === true;
}

/** Whether it is a bond whose members have counted until now. */
function isNewBond(nic: TrackedInterface): boolean {
  const wasSeen = nic.decision !== undefined && nic.isFollowed;
  return isBond(nic) && nic.counted === undefined && !wasSeen;
}

function isUndecidedBond({ traits, counted }: TrackedInterface): boolean {
  return traits?.bond === true && counted === undefined;
}

/** Whether the decision on others may depend on an interface. */
function mayHaveMembers({ traits }: TrackedInterface): boolean {
  return traits === undefined || traits.bond || traits.bridge;
}

/** With an include list, traits serve only to recognize a renamed interface. */
function isExcludedByInclude(name: string, { include }: InterfaceGlobs): boolean {
  return include.length > 0 && !include.some((glob) => matchesGlob(name, glob));
}
