/**
 * The check of `doctor` of the panel's name: who answers for it, what, and after how long.
 *
 * @module
 */

import { settlesWithin, withTimeout } from "../async/timeout.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { Connector } from "../net/connector.ts";
import { ipFamily } from "../parse/ip_address.ts";
import { truncate } from "../parse/bounded_text.ts";
import { type CheckResult, result } from "./checks.ts";
import {
  answerText,
  askEach,
  FORBIDDEN,
  HOSTS,
  type NameAnswer,
  type NameSources,
  readSources,
  REFUSED_BY_TCP,
  RESOLV_CONF,
  RESOLVED_ADDRESS,
} from "./doctor_name_servers.ts";
import { kernelRoutes, type RouteFinding, routeFinding } from "./doctor_route.ts";
import { proxyVariableNames } from "./doctor_advice.ts";
import {
  endpointPlace,
  failureText,
  firstHop,
  seconds,
  unitAdvice,
  type Way,
} from "./doctor_way.ts";

/** The system waits 5 s for its first name server. */
const LOOKUP_MS = 6_000;
/** A name that takes longer is a finding. */
const SLOW_LOOKUP_MS = 1_500;

/** Resolves the name of the panel, or of the proxy. */
export async function checkName(way: Way, signal: AbortSignal): Promise<CheckResult> {
  const { host } = firstHop(way);
  if (ipFamily(host) !== undefined) return result("ok", `${host} is an address`);
  const sources = await readSources(way);
  const line = sources.leavesOutHosts ? undefined : sources.hostsLine;
  const startedAtMs = performance.now();
  const lookup = withTimeout(
    (signal) => new Connector(way.config).lookUp(host, { signal }),
    { timeoutMs: LOOKUP_MS, signal },
  );
  const asked = await settlesWithin(lookup, SLOW_LOOKUP_MS, { signal })
    ? undefined
    : askEach(host, sources, signal);
  // Nothing waits for it where the check is given up.
  asked?.catch(() => {});
  let addresses: readonly string[];
  try {
    addresses = await lookup;
  } catch (error) {
    signal.throwIfAborted();
    const answers = await (asked ?? askEach(host, sources, signal));
    return lateAnswer(answers, { way, sources }) ??
      unresolved(failureText(error), { way, sources, answers });
  }
  const ms = performance.now() - startedAtMs;
  way.addresses = addresses;
  way.answeredBy = line === undefined
    ? `answered by ${sources.asked}`
    : `found in line ${line} of /etc/hosts`;
  const subject = way.proxy === undefined ? host : `the proxy ${host}`;
  const list = addresses.join(", ");
  const found = line === undefined
    ? `${subject} is ${list}, answered by ${sources.asked}`
    : `${subject} is ${list}, found in line ${line} of /etc/hosts`;
  if (addresses.every((it) => ["0.0.0.0", "::"].includes(it))) {
    return result(
      "failed",
      `${found}: that is no server's address, but how a filter blocks a name`,
      line === undefined
        ? `allow ${host} in the filter of ${sources.asked} (Pi-hole, AdGuard, the router's)`
        : `remove line ${line} of /etc/hosts`,
    );
  }
  const isInvention = line === undefined && await isInvented(addresses, sources, signal);
  const answers = line === undefined && asked !== undefined ? await asked : [];
  let text = found;
  if (isInvention) {
    text = `${found}, which it also gives for a name that does not exist`;
    way.doubts = [
      `${sources.asked} gives the same address for a name that does not exist: see whether a login ` +
      `page of this network (a captive portal) answers everything: curl -v http://${host}/`,
      "ask another name server: --custom-dns ADDRESS",
    ];
  }
  if (asked === undefined) return result("ok", text);
  const slow = `${text}, after ${seconds(ms)}`;
  const each = answers.length === 0 ? "" : ` (${answers.map(answerText).join("; ")})`;
  return result(
    "warning",
    slow + each,
    ...slowAdvice(answers, sources),
  );
}

/** Whether the addresses are also those of a name that can't exist (RFC 6761). */
async function isInvented(
  addresses: readonly string[],
  sources: NameSources,
  signal: AbortSignal,
): Promise<boolean> {
  // Asked directly: a resolver on this machine knows that there is none, and asks nobody.
  const answers = await askEach(`${crypto.randomUUID()}.invalid`, sources, signal);
  return answers.some((it) => it.addresses.some((address) => addresses.includes(address)));
}

/** A name that a server knows after one that does not answer, for which the system waits too long. */
export function lateAnswer(
  answers: readonly NameAnswer[],
  { way, sources }: { way: Way; sources: NameSources },
): CheckResult | undefined {
  const dead = deadServerAdvice(answers, sources);
  const found = answers.find(({ addresses }) => addresses.length > 0);
  if (dead === undefined || found === undefined) return undefined;
  way.addresses = found.addresses;
  way.answeredBy = `answered by ${found.server}`;
  const each = answers.map(answerText).join("; ");
  return result(
    "warning",
    `${firstHop(way).host} is ${
      found.addresses.join(", ")
    }, answered by ${found.server}, and the ` +
      `system has no answer within ${seconds(LOOKUP_MS)} (${each})`,
    dead,
  );
}

/** A name without an address: what each server says about it, and what to do. */
function unresolved(
  message: string,
  { way, sources, answers }: { way: Way; sources: NameSources; answers: readonly NameAnswer[] },
): CheckResult {
  const { host } = firstHop(way);
  const subject = way.proxy === undefined ? host : `the proxy ${host}`;
  const { order, servers, asked, file, hostsLine, unreadable, noAddress } = sources;
  const isOwn = way.config.nameServer !== undefined;
  if (hostsLine !== undefined && sources.leavesOutHosts) {
    return result(
      "failed",
      `Cannot resolve ${subject}: line ${hostsLine} of /etc/hosts has it, and /etc/nsswitch.conf has ` +
        `"hosts: ${order?.join(" ")}", so that file is not read`,
      "add files to that line, before dns",
    );
  }
  if (!isOwn && order !== undefined && !order.some((it) => /^(dns|resolve)$/.test(it))) {
    return result(
      "failed",
      `${message}: /etc/nsswitch.conf has "hosts: ${order.join(" ")}", so no name server is asked`,
      "add dns to that line",
    );
  }
  if (unreadable.includes(RESOLV_CONF)) {
    return result(
      "failed",
      `Cannot resolve ${subject}: this user may not read ${RESOLV_CONF}, which names the name servers`,
      `let everybody read it: chmod a+r ${RESOLV_CONF}; namei -l ${RESOLV_CONF} shows the folders ` +
        "on the way",
    );
  }
  if (!isOwn && servers.length === 0) {
    if (noAddress !== undefined) {
      return result(
        "failed",
        `Cannot resolve ${subject}: line ${noAddress.line} of ${file} names a server by no address: ` +
          truncate(noAddress.word, 80),
        "write one address on each line: nameserver ADDRESS",
      );
    }
    return result(
      "failed",
      `${message}: ${file} names no name server`,
      `add a line to ${file}: nameserver ADDRESS, or repair the service that writes it (ls -l ${file})`,
    );
  }
  const [only, ...more] = answers.map(answerText);
  // A single server that is asked directly is named once.
  const each = more.length === 0 ? only?.replace(`${asked}: `, "") : [only, ...more].join("; ");
  const finding = unitAdvice(way) === undefined ? unreachedServers(answers) : undefined;
  const said = `Cannot resolve ${subject}: asked ${asked}: ${each}`;
  const text = finding === undefined ? said : `${said}; ${finding.text}`;
  const advice = finding?.advice ?? unresolvedAdvice(answers, { host, way, sources });
  if (!unreadable.includes(HOSTS)) return result("failed", text, ...advice);
  return result(
    "failed",
    `${text}; this user may not read ${HOSTS}`,
    `let everybody read ${HOSTS}, which may have the name: chmod a+r ${HOSTS}`,
    ...advice,
  );
}

/** Why no question gets to any of the servers, by the kernel; `undefined` where it sees nothing of one. */
function unreachedServers(answers: readonly NameAnswer[]): RouteFinding | undefined {
  const askRoute = kernelRoutes();
  const found = answers.flatMap(({ server, code }) =>
    /answer/.test(code) ? routeFinding(server, { askRoute }) ?? [] : []
  );
  return found.length < answers.length ? undefined : found[0];
}

/** What to do about a name without an address, by what each server has answered. */
export function unresolvedAdvice(
  answers: readonly NameAnswer[],
  { host, way, sources }: { host: string; way: Way; sources: NameSources },
): string[] {
  const codes = new Set(answers.map(({ code }) => code));
  const [first] = answers;
  const server = first?.server ?? "";
  const another = "ask another name server: --custom-dns ADDRESS";
  const has = (...all: readonly string[]) => [...codes].every((code) => all.includes(code));
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
      `server in ${sources.file}, or --custom-dns ADDRESS`,
      correct,
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
    const dead = deadServerAdvice(answers, sources);
    return dead !== undefined ? [dead] : [
      `see what the system makes of the same question: getent ahosts ${host}`,
      "see who is asked, in which order: grep hosts /etc/nsswitch.conf",
    ];
  }
  const ofUnit = unitAdvice(way);
  if (ofUnit !== undefined) return [ofUnit];
  if (has(FORBIDDEN)) {
    return ["let this machine's own firewall pass port 53 to it: nft list ruleset"];
  }
  if (has(REFUSED_BY_TCP)) {
    return server === RESOLVED_ADDRESS
      ? [
        `start systemd-resolved, which would answer there: systemctl enable --now systemd-resolved; ` +
        `or name another name server in ${sources.file}`,
      ]
      : [
        `start the name server at ${server}, or name another one in ${sources.file}`,
        `see whether it only answers late: dig +time=15 @${server} ${host}`,
      ];
  }
  if (isInContainerImage()) {
    return [
      "a container asks the name server of its network: --dns of docker run, or --custom-dns",
    ];
  }
  return [
    `see whether the name server is up: ping -c 3 ${server}`,
    "see whether a firewall drops port 53: nft list ruleset",
    `correct its address in ${sources.file}`,
    another,
  ];
}

/** What to do about a server without an answer before one with it; `undefined` where none is. */
function deadServerAdvice(
  answers: readonly NameAnswer[],
  { file }: NameSources,
): string | undefined {
  const [first] = answers;
  const isSilent = ({ code }: NameAnswer) => /answer/.test(code);
  if (first === undefined || !isSilent(first) || answers.every(isSilent)) return undefined;
  return `${first.server} does not answer, and is asked before the others: remove it from ${file}`;
}

function slowAdvice(answers: readonly NameAnswer[], sources: NameSources): string[] {
  const dead = deadServerAdvice(answers, sources);
  if (dead !== undefined) return [dead];
  const [server] = answers;
  return [
    server === undefined
      ? "see which part of the system answers late: time getent ahosts NAME"
      : `see whether ${server.server} itself is slow: dig @${server.server} example.com`,
    "ask another name server: --custom-dns ADDRESS",
  ];
}
