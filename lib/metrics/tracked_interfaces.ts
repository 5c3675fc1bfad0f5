/**
 * Interfaces as they are followed from sample to sample, and what is decided on each among the others.
 *
 * @module
 */

import type { LinkKind } from "../host/host.ts";
import { type InterfaceTraits, NO_TRAITS } from "../host/interface_traits.ts";
import type { InterfaceCounters } from "../parse/net_dev.ts";
import {
  decideInterface,
  decisionOrder,
  type InterfaceDecision,
  type InterfaceGlobs,
  isDialUp,
} from "./interface_filter.ts";

/** An interface under its name. After a rename it is another one here, but the same in the total. */
export interface TrackedInterface {
  readonly name: string;
  /** By the kernel; `undefined` where that can't be asked. */
  readonly index: number | undefined;
  traits: InterfaceTraits | undefined;
  link: LinkKind | undefined;
  decision: InterfaceDecision | undefined;
  /** Whether it counted in the last sample; absent before it was decided. */
  counted?: boolean | undefined;
  /** Its counters when they were read last. */
  last?: InterfaceCounters;
}

/** The interfaces of a network by their names. */
export type TrackedInterfaces = ReadonlyMap<string, TrackedInterface>;

/** What is included by name is meant as such, be it a bond or a member. */
export function partOf({ traits }: TrackedInterface, globs: InterfaceGlobs): InterfaceTraits {
  return globs.include.length > 0 ? NO_TRAITS : traits ?? NO_TRAITS;
}

/** Whether it counts, as itself or for its bond; `undefined` before it was decided. */
export function isCounted(
  nic: TrackedInterface,
  { interfaces, globs }: DecisionContext,
): boolean | undefined {
  const { bondSlave, master = "" } = partOf(nic, globs);
  return nic.decision && bondSlave
    ? interfaces.get(master)?.decision?.counted ?? true
    : nic.decision?.counted;
}

/** What decisions depend on. */
export interface DecisionContext {
  readonly interfaces: TrackedInterfaces;
  readonly globs: InterfaceGlobs;
}

/** Decides on new interfaces, and with `onAll` on all. */
export function decideAll(context: DecisionContext, onAll: boolean): void {
  const all = Array.from(context.interfaces.values());
  const undecided = all.filter((nic) => {
    if (onAll && !isDialUp(nic.name, nic)) nic.decision = undefined;
    return nic.decision === undefined;
  });
  // Links that others may carry depend on the decisions on those and their traffic.
  const carriers = all.filter(({ decision }) => decision?.counted);
  const order = (nic: TrackedInterface) => decisionOrder(nic.name, nic);
  for (const nic of undecided.toSorted((a, b) => order(a) - order(b))) {
    if (decideOn(nic, { ...context, carriers }).counted) carriers.push(nic);
  }
  // What begins to count later goes on from its counters of that time.
  for (const nic of all) if (isCounted(nic, context) === false) nic.counted ??= false;
}

/** Decides on an interface; on one that others may carry, by those of them that count. */
export function decideOn(
  nic: TrackedInterface,
  { carriers, interfaces, globs }: DecisionContext & {
    readonly carriers: readonly TrackedInterface[];
  },
): InterfaceDecision {
  const noDevices = !hasDevice(interfaces);
  return nic.decision = decideInterface(nic.name, nic, {
    globs,
    noDevices,
    isOnlyLink: carriers.length === 0 && !(globs.exclude.length > 0 && excludesLink(interfaces)),
    hasTraffic: carriers.some((it) =>
      it.last !== undefined && it.last.sentBytes + it.last.receivedBytes > 0 &&
      !isDialUp(it.name, it)
    ),
  });
}

/** Whether one would count that is excluded: then none that it may carry is the only link. */
function excludesLink(interfaces: TrackedInterfaces): boolean {
  const globs = { include: [], exclude: [] };
  const noDevices = !hasDevice(interfaces);
  const context = { globs, noDevices, isOnlyLink: false, hasTraffic: false };
  return interfaces.values().some((nic) =>
    nic.decision?.counted === false && decideInterface(nic.name, nic, context).counted
  );
}

/** Whether a device shows that those without one are virtual. */
export function hasDevice(interfaces: TrackedInterfaces): boolean {
  for (const { traits } of interfaces.values()) if (traits?.device) return true;
  return false;
}
