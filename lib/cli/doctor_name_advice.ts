/**
 * Advice of `doctor` on a name that has no address, or gets it late.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { isInContainerImage } from "../host/this_program.ts";
import {
  FORBIDDEN,
  isSilent,
  type NameAnswer,
  type NameSources,
  OPEN_BY_TCP,
  REFUSED_BY_TCP,
  RESOLV_CONF,
  RESOLVED_ADDRESS,
} from "./doctor_name_servers.ts";
import { advised } from "./checks.ts";
import { lossAdvice } from "./doctor_loss.ts";
import { proxyVariableNames } from "./doctor_advice.ts";
import { endpointPlace, given, otherNameServer } from "./doctor_options.ts";
import { firstHop, type Way } from "./doctor_way.ts";
import { unitAdvice } from "./doctor_unit_network.ts";

/** Where `/etc/resolv.conf` is a link to a file of systemd-resolved. */
export const START_RESOLVED =
  "start systemd-resolved, which writes it: systemctl enable --now systemd-resolved";
/** Where it is a link. */
export const REPLACE_LINK =
  "or have a file in its place: rm /etc/resolv.conf && echo nameserver ADDRESS >/etc/resolv.conf";

/** Advice about a name without an address, by what each server has answered. */
export function unresolvedAdvice(
  answers: readonly NameAnswer[],
  { host, way, sources, isUp = false }: {
    host: string;
    way: Way;
    sources: NameSources;
    /** Whether a silent server answers pings. */
    isUp?: boolean;
  },
): string[] {
  // The system takes a name for unknown by the first answer that says so, and asks on after others.
  const told = answers.filter((answer) => !isSilent(answer));
  const isKnown = told.some(({ code }) => code === "NOERROR");
  const first = isKnown
    ? answers[0]
    : told.find(({ code }) => /NXDOMAIN|no address/.test(code)) ?? told[0] ?? answers[0];
  const codes = new Set((isKnown || told.length === 0 ? answers : [first]).map((it) => it?.code));
  const server = first?.server ?? "";
  const another = otherNameServer(way);
  const has = (...all: readonly string[]) => [...codes].every((code) => all.includes(code ?? ""));
  const correct = way.proxy === undefined
    ? `correct the name in ${endpointPlace(way)}, if it is not ${host}`
    : `correct the proxy's name in ${proxyVariableNames(way)}, if it is not ${host}`;
  if (has("NXDOMAIN", "no address")) {
    return [
      correct,
      `see whether the domain has a record of that name, at its DNS provider: dig +trace ${host}`,
    ];
  }
  if (has("REFUSED")) {
    return [
      `see whether it answers about other names: dig @${server} example.com; if not, name another ` +
      `server in ${sources.file}, or ${given(way, "--custom-dns ADDRESS")}`,
    ];
  }
  if (has("SERVFAIL")) {
    return [
      `see whether ${server} reaches the servers above it: dig @${server} example.com`,
      `see whether DNSSEC refuses the name: dig +cd @${server} ${host}`,
      another,
    ];
  }
  if (answers.some(({ code }) => code === "NOERROR")) {
    const first = deadServerAdvice(answers, sources) ?? unknowingServerAdvice(answers, sources);
    return first !== undefined ? [first] : [
      ...optionsLook(sources),
      `see what the system makes of the same question: getent ahosts ${host}`,
      "see who is asked, in which order: grep hosts /etc/nsswitch.conf",
    ];
  }
  const ofUnit = unitAdvice(way, undefined, answers.map(({ server }) => server));
  if (ofUnit !== undefined) return [ofUnit];
  if (has(FORBIDDEN)) {
    return [
      "let this machine's own firewall pass port 53 to it: nft list ruleset || iptables-save",
    ];
  }
  if (has(REFUSED_BY_TCP)) return closedServerAdvice(server, { host, sources });
  // It is up.
  if (answers.some(({ lost }) => lost !== undefined)) return slowAdvice(answers, { way, sources });
  if (has(OPEN_BY_TCP)) {
    return [
      "see whether a firewall, here or there, drops UDP port 53: nft list ruleset || iptables-save",
      another,
    ];
  }
  if (isInContainerImage()) {
    return [
      "a container asks the name server of its network: --dns of docker run, or --custom-dns",
    ];
  }
  const place = sources.line === undefined
    ? sources.file
    : `line ${sources.line} of ${sources.file}`;
  return advised(
    isUp
      ? `correct its address in ${place}, if it is no name server`
      : `correct its address in ${place}, if no name server is there: ping -c 3 ${server}`,
    "see whether a firewall drops port 53: nft list ruleset || iptables-save",
    another,
  );
}

/** Advice about a machine that refuses questions. */
function closedServerAdvice(
  server: string,
  { host, sources: { file, target } }: { host: string; sources: NameSources },
): string[] {
  if (server !== RESOLVED_ADDRESS) {
    return [
      `start the name server at ${server}, or name another one in ${file}`,
      `see whether it only answers late: dig +time=15 @${server} ${host}`,
    ];
  }
  if (!hasSystemdResolved()) {
    return [
      "systemd-resolved, which would answer there, is not installed: install it, or name another " +
      `name server in ${file}`,
    ];
  }
  return target !== undefined ? [START_RESOLVED, REPLACE_LINK] : [
    `start systemd-resolved, which would answer there: systemctl enable --now systemd-resolved; ` +
    `or name another name server in ${file}`,
  ];
}

/** A look at what the system's questions differ in from those of this check. */
function optionsLook({ options }: NameSources): string[] {
  return options === undefined
    ? []
    : [`see whether it answers without a word of "options ${options}" in ${RESOLV_CONF}`];
}

/** Whether systemd-resolved is installed, running or not. */
export function hasSystemdResolved(): boolean {
  return ["/usr/lib", "/lib"].some((folder) =>
    attempt(() => Deno.statSync(`${folder}/systemd/systemd-resolved`)) !== undefined
  );
}

/** Advice about a server without an answer before one with it; `undefined` where none is. */
export function deadServerAdvice(
  answers: readonly NameAnswer[],
  { file }: NameSources,
): string | undefined {
  const [first] = answers;
  if (first === undefined || !isSilent(first) || answers.every(isSilent)) return undefined;
  return `${first.server} does not answer, and is asked before the others: start it, or remove it from ${file}`;
}

/** Advice about a server without the name before one that has it; `undefined` where none is. */
function unknowingServerAdvice(
  [first, ...others]: readonly NameAnswer[],
  { file }: NameSources,
): string | undefined {
  const knowing = others.find(({ code }) => code === "NOERROR");
  if (knowing === undefined || !["NXDOMAIN", "no address"].includes(first?.code ?? "")) return;
  return `${first?.server} does not know the name, and no other is asked then: put ${knowing.server} before it in ${file}, or remove it there`;
}

/** Longer than a name server takes that is not slow. */
const SLOW_ANSWER_MS = 1_000;

/** Advice about a name that the system gives late, by what each server has answered. */
export function slowAdvice(
  answers: readonly NameAnswer[],
  { way, sources, lostPings }: {
    way: Way;
    sources: NameSources;
    /** How many pings to a server that has not answered all questions are lost. */
    lostPings?: number | undefined;
  },
): string[] {
  const dead = deadServerAdvice(answers, sources);
  if (dead !== undefined) return [dead];
  const another = otherNameServer(way);
  const [first] = answers;
  const { host } = firstHop(way);
  const options = optionsLook(sources);
  const system =
    `see which part of the system answers late: time getent ahosts ${host}; grep hosts ` +
    "/etc/nsswitch.conf";
  if (first === undefined) return [system, another];
  // Where packets are lost, it is chance which of them were.
  const ofIpv4 = lostPings ? undefined : answers.find((it) => it.isSilentOnIpv6);
  if (ofIpv4 !== undefined) {
    const { server } = ofIpv4;
    return [
      `have ${server} answer to AAAA, for which the system waits: dig AAAA @${server} ${host}`,
      `or have this agent not wait for it: ${given(way, `--custom-dns ${server}`)}`,
    ];
  }
  const lossy = answers.find(({ lost }) => lost !== undefined) ??
    (lostPings === undefined ? undefined : first);
  const { server } = lossy ?? first;
  const lost = `see whether packets to ${server} are lost on the way: ping -c 20 ${server}`;
  if (lossy !== undefined) {
    const busy =
      `see whether ${server} limits questions, or is overloaded: dig @${server} ${host}, several ` +
      "times";
    return lostPings === 0 ? [busy, another] : lostPings === undefined ? [lost, busy, another] : [
      lossAdvice(server),
    ];
  }
  // Without an answer it may be either.
  if (isSilent(first)) {
    return [lost, `see whether ${server} itself is slow: dig @${server} example.com`, another];
  }
  return first.ms < SLOW_ANSWER_MS
    ? [...options, system, another]
    : [`see whether ${server} itself is slow: dig @${server} example.com`, another];
}
