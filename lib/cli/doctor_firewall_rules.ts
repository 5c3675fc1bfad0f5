/**
 * Finds, for `doctor`, the rule of this machine's firewall that drops or refuses a connection, in what
 * `nft -a list ruleset` prints.
 *
 * @module
 */

import { ipFamily, isWithin } from "../parse/ip_address.ts";
import type { LostPacket } from "./checks.ts";

/** A rule that drops or refuses a packet for sure. */
export interface DroppingRule {
  /** As `nft` prints it, without its counters and comment. */
  readonly text: string;
  /** Family and name. */
  readonly table: string;
  readonly chain: string;
  /** Absent for the policy of a chain. */
  readonly handle?: string | undefined;
  /** Whether it drops the answer, and not the packet itself. */
  readonly isOfAnswer: boolean;
}

/** A packet, or the answer to it. */
interface Passing extends LostPacket {
  readonly isAnswer: boolean;
}

interface Chain {
  readonly table: string;
  readonly name: string;
  readonly lines: string[];
}

/** How a chain ends for a packet; "unknown" where it depends on what is not known here. */
type End = DroppingRule | "accepted" | "passed" | "unknown";

/** The kernel chooses no lower port than this for a connection. */
const FIRST_CHOSEN = 1024;
/** Deeper jumps than the kernel takes. */
const MAX_DEPTH = 16;
/** Parts of a rule that are not conditions: counters, logs and comments. */
const NO_CONDITION =
  /\b(?:counter(?: packets \d+ bytes \d+| name "[^"]*")?|log(?: (?:prefix "[^"]*"|(?:level|group|flags|snaplen) \S+))*|comment "[^"]*")/g;
const VERDICT =
  /(?:^| )(drop|accept|return|reject(?: with .*)?|(?:jump|goto) \S+|(?:queue|dnat|redirect|tproxy).*)$/;
const VALUE = String.raw`(!= )?(\{[^}]*\}|\S+) *`;

/** The rule that drops a packet on its way out, or the answer; `undefined` where none does so for sure. */
export function droppingRule(ruleset: string, packet: LostPacket): DroppingRule | undefined {
  return droppedAt(/\bhook (?:output|postrouting)\b/, ruleset, { ...packet, isAnswer: false }) ??
    droppedAt(/\bhook (?:prerouting|input)\b/, ruleset, { ...packet, isAnswer: true });
}

function droppedAt(hook: RegExp, ruleset: string, packet: Passing): DroppingRule | undefined {
  const chains = chainsOf(ruleset);
  const ends = chains.filter(({ lines }) => hook.test(lines[0] ?? ""))
    .filter(({ table }) => {
      const [family = ""] = table.split(" ");
      return family === "inet" || family === (ipFamily(packet.address) === 6 ? "ip6" : "ip");
    })
    .map((chain) => ({
      isOfNat: /^type nat /.test(chain.lines[0] ?? ""),
      end: endOf(chain, { packet, chains, depth: 0 }),
    }));
  // After NAT the other chains see another address; that of an answer is changed back before them.
  const isChanged = ends.some(({ isOfNat, end }) => isOfNat && end === "unknown");
  if (isChanged && !packet.isAnswer) return undefined;
  return ends.map(({ end }) => end).find((end) => typeof end === "object");
}

function chainsOf(ruleset: string): Chain[] {
  let table = "";
  const chains: Chain[] = [];
  // nft breaks the lines of long sets.
  for (const line of ruleset.replace(/,\n\s+/g, ", ").split("\n")) {
    const [, ofTable] = /^table (\S+ \S+) \{/.exec(line) ?? [];
    // Rules name a set with an @.
    const [, name] = /^\t(?:chain|set) (\S+) \{/.exec(line.replace(/^\tset /, "\tset @")) ?? [];
    if (ofTable !== undefined) table = ofTable;
    else if (name !== undefined) chains.push({ table, name, lines: [] });
    else if (/^\t\t\S/.test(line)) chains.at(-1)?.lines.push(line.trim());
    // What follows belongs to no chain, as the lines of a map.
    else if (/^\t\S/.test(line) && line.trim() !== "}") chains.push({ table, name: "", lines: [] });
  }
  return chains;
}

/** Conditions with the elements of the sets of a table in place of their names. */
function withElements(conditions: string, table: string, chains: readonly Chain[]): string {
  return conditions.replace(/@\S+/g, (set) => {
    const { lines = [] } = chains.find((it) => it.table === table && it.name === set) ?? {};
    const [, elements] = /^elements = \{(.*)\}$/.exec(lines.at(-1) ?? "") ?? [];
    // An element may have a time-out and a counter behind it.
    const all = elements?.split(",").map((it) => it.trim().split(" ", 1)).join(", ");
    return all === undefined ? set : `{ ${all} }`;
  });
}

function endOf(
  chain: Chain,
  options: { packet: Passing; chains: readonly Chain[]; depth: number },
): End {
  const { packet, chains, depth } = options;
  const { table, name } = chain;
  let policy: End = "passed";
  for (const line of chain.lines) {
    const [, handle] = / # handle (\d+)$/.exec(line) ?? [];
    const text = line.replace(/ # handle \d+$/, "").replace(NO_CONDITION, "")
      .replace(/ {2,}/g, " ").trim();
    if (/^type \S+ hook /.test(text)) {
      const [drops] = /policy drop/.exec(text) ?? [];
      const isOfAnswer = packet.isAnswer;
      if (drops !== undefined) policy = { text: drops, table, chain: name, isOfAnswer };
      continue;
    }
    const [whole = "", verdict = ""] = VERDICT.exec(text) ?? [];
    if (verdict === "" && !/\bvmap\b/.test(text)) continue;
    const applies = appliesTo(
      withElements(text.slice(0, text.length - whole.length), table, chains),
      packet,
    );
    if (applies === false) continue;
    const [way, target] = verdict.split(" ");
    if (way === "jump" || way === "goto") {
      const next = chains.find((it) => it.table === table && it.name === target);
      const end = next === undefined || depth >= MAX_DEPTH
        ? "unknown"
        : endOf(next, { ...options, depth: depth + 1 });
      if (end === "passed" && way === "jump") continue;
      if (applies === undefined || end !== "passed") return applies === undefined ? "unknown" : end;
      return policy;
    }
    if (applies === undefined) return "unknown";
    if (way === "accept") return "accepted";
    if (way === "return") return policy;
    return way === "drop" || way === "reject"
      ? { text, table, chain: name, handle, isOfAnswer: packet.isAnswer }
      : "unknown";
  }
  return policy;
}

/** Whether all conditions hold for a packet; `undefined` where one may. */
function appliesTo(
  conditions: string,
  { address, port, uid, isUdp = false, isAnswer }: Passing,
): boolean | undefined {
  const family = ipFamily(address);
  const numbers = (own: number) => (text: string) => {
    const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
    return from === undefined ? undefined : Number(from) <= own && own <= Number(to);
  };
  const words = (...own: string[]) => (text: string) => own.includes(text);
  const [protocol, number, other] = isUdp ? ["udp", "17", "tcp"] : ["tcp", "6", "udp"];
  const [of, at] = isAnswer ? ["s", "i"] : ["d", "o"];
  // The kernel chooses the port that the answer comes to.
  const isChosen = (text: string) =>
    /^\d+(?:-\d+)?$/.test(text) && Number(text.split("-").at(-1)) < FIRST_CHOSEN
      ? false
      : undefined;
  const known: readonly [name: RegExp, isOne: (text: string) => boolean | undefined][] = [
    [new RegExp(`(?:${protocol}|th) ${of}port`), numbers(port)],
    [new RegExp(`(?:${protocol}|th) [sd]port`), isChosen],
    [/(?:meta )?l4proto|ip protocol|ip6 nexthdr/, words(protocol, number)],
    [/(?:meta )?nfproto/, words(`ipv${family}`)],
    [new RegExp(`ip6? ${of}addr`), (text) => isWithin(address, text)],
    // Whose socket gets the answer may not be known yet in that chain.
    [/(?:meta )?skuid/, isAnswer ? () => undefined : numbers(uid)],
    [/ct state/, words(isAnswer ? "established" : "new")],
    [new RegExp(`(?:meta )?${at}if(?:name)?`), (text) => /^"?lo"?$/.test(text) ? false : undefined],
    // A packet that leaves came by no interface, and one that arrives leaves by none.
    [/(?:meta )?[io]if(?:name)?/, () => false],
  ];
  let rest = conditions.trim();
  let isSure = true;
  while (rest !== "") {
    if (new RegExp(`^(?:${other}|udplite|icmp|icmpv6|sctp|dccp|esp|ah) `).test(rest)) return false;
    const found = known.flatMap(([name, isOne]) => {
      const match = new RegExp(`^(?:${name.source}) ${VALUE}`).exec(rest);
      return match === null ? [] : [{ match, isOne }];
    })[0];
    if (found === undefined) return undefined;
    const [taken, not, value = ""] = found.match;
    const all = value.replace(/^\{|\}$/g, "").split(",").map((it) => found.isOne(it.trim()));
    const holds = all.includes(true) ? true : all.includes(undefined) ? undefined : false;
    if (holds === (not !== undefined)) return false;
    if (holds === undefined) isSure = false;
    rest = rest.slice(taken.length);
  }
  return isSure ? true : undefined;
}
