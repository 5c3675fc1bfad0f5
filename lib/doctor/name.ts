/**
 * The panel's name: who answers for it, what, and after how long.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { isTimeout, withTimeout } from "../async/timeout.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { Connector } from "../net/connector.ts";
import { lookUpHostsFile } from "../net/dns.ts";
import { queryNameServer } from "../net/dns_query.ts";
import { ipFamily, isWithin } from "../parse/ip_address.ts";
import { failed, type Finding, type Line, ok, warning } from "./check.ts";
import { given } from "./options.ts";
import { causeOf, failureText, hopOf, seconds, type Way } from "./way.ts";

/** The system asks its second name server after 5 s. */
const LOOKUP_MS = 7_000;
/** A name that takes longer is a finding. */
const SLOW_MS = 1_500;
const QUERY_MS = 2_000;
/** The system reads no more of them. */
const MAX_SERVERS = 3;
const RESOLV_CONF = "/etc/resolv.conf";

/** What one name server has answered when it was asked itself. */
export interface NameAnswer {
  readonly server: string;
  /** A response code, `no address`, or why there is none. */
  readonly code: string;
  readonly ms: number;
  readonly addresses: readonly string[];
  /** Whether it answers for IPv4 and not for IPv6. */
  readonly lacksIpv6?: boolean;
}

export interface NameEvidence {
  readonly ms: number;
  /** What the system has answered; none where it has no answer. */
  readonly addresses: readonly string[];
  readonly error?: string;
  /** The line of `/etc/hosts` that has the name. */
  readonly hostsLine?: number | undefined;
  /** Where the servers are named; who has written that file, and where it leads. */
  readonly file: string;
  readonly writer?: string | undefined;
  readonly target?: string | undefined;
  readonly isMissing?: boolean;
  /** The first line there that names a server by no address. */
  readonly oddLine?: string | undefined;
  readonly answers: readonly NameAnswer[];
}

/** Has the system resolve the name of the first hop, and asks each of its name servers, too. */
export async function gatherName(way: Way, signal: AbortSignal): Promise<NameEvidence> {
  const { host } = hopOf(way);
  const { nameServer } = way.config;
  const text = attempt(() => Deno.readTextFileSync(RESOLV_CONF));
  const words = [...(text ?? "").matchAll(/^\s*nameserver\s+(\S+\r?)/gm)].map(([, it = ""]) => it);
  const isAddress = (word: string) => ipFamily(word.replace(/%.*/, "")) !== undefined;
  const servers = nameServer === undefined
    ? words.filter(isAddress).map((host) => ({ host, port: 53 })).slice(0, MAX_SERVERS)
    : [nameServer];
  const asking = Promise.all(servers.map((server) => ask(host, server, signal)));
  asking.catch(() => {});
  const startedAtMs = performance.now();
  const found = await withTimeout(
    (signal) => new Connector(way.config).lookUp(host, { signal }),
    { timeoutMs: LOOKUP_MS, signal },
  ).then((addresses) => ({ addresses }), (error) => {
    signal.throwIfAborted();
    return { addresses: [], error: isTimeout(error) ? error.message : failureText(error) };
  });
  const ms = performance.now() - startedAtMs;
  const hosts = (attempt(() => Deno.readTextFileSync("/etc/hosts")) ?? "").split("\n");
  const line = hosts.findIndex((line) => lookUpHostsFile(line, host).length > 0) + 1;
  return {
    ...{ ms, ...found, hostsLine: line === 0 ? undefined : line, answers: await asking },
    ...nameServer !== undefined ? { file: "--custom-dns" } : {
      file: RESOLV_CONF,
      isMissing: text === undefined,
      oddLine: words.find((word) => !isAddress(word)),
      writer: /^# ?.*\b(?:generated|managed|written) by ([\w. ()+:/-]{1,60}?)[.,]?$/im.exec(
        text ?? "",
      )
        ?.[1],
      target: attempt(() => Deno.readLinkSync(RESOLV_CONF)),
    },
  };
}

/** Asks one server for addresses of both families. */
async function ask(
  host: string,
  { host: server, port }: { host: string; port: number },
  signal: AbortSignal,
): Promise<NameAnswer> {
  const options = { timeoutMs: QUERY_MS, signal };
  const [ipv4, ipv6] = await Promise.all((["A", "AAAA"] as const).map(async (type) => {
    try {
      return await queryNameServer({ host: server, port }, host, { ...options, type });
    } catch (error) {
      signal.throwIfAborted();
      // Nothing can be sent to it, or nothing listens there.
      return isTimeout(error)
        ? `no answer within ${seconds(QUERY_MS)}`
        : failureText(error).replace(/^send UNKNOWN .*/, "this machine may not send to it");
    }
  }));
  const answers = [ipv4, ipv6].filter((it) => typeof it === "object");
  const [first] = answers;
  if (first === undefined) return { server, code: String(ipv4), ms: QUERY_MS, addresses: [] };
  const addresses = answers.flatMap((it) => it.addresses);
  const code = first.code === "NOERROR" && addresses.length === 0 ? "no address" : first.code;
  return { server, code, ms: first.ms, addresses, lacksIpv6: typeof ipv6 === "string" };
}

/** Networks from which odd answers are, and what they are. */
const ODD_ADDRESSES: readonly (readonly [networks: string, words: string])[] = [
  ["198.18.0.0/15", "as proxies such as Clash give for any name (fake-IP)"],
  [
    "31.13.64.0/18 66.220.144.0/20 69.63.176.0/20 69.171.224.0/19 157.240.0.0/16 173.252.64.0/18 2001::/32 " +
    "104.244.40.0/21 199.16.156.0/22 199.59.148.0/22 108.160.160.0/20 162.125.0.0/16",
    "of a network from which forged answers for blocked names are (Facebook's, Twitter's)",
  ],
];

/** What is odd about addresses that a name has; `undefined` where nothing is. */
export function oddAddresses(addresses: readonly string[]): string | undefined {
  const isIn = (networks: string) =>
    addresses.length > 0 &&
    addresses.every((it) => networks.split(" ").some((network) => isWithin(it, network) === true));
  return ODD_ADDRESSES.find(([networks]) => isIn(networks))?.[1];
}

/** Who has given the addresses, in words, and what contradicts or is odd about them; empty for an address. */
export function sourceText({ addresses, hostsLine, answers, file }: NameEvidence): string {
  const isSame = ({ addresses: of }: NameAnswer) => of.some((it) => addresses.includes(it));
  const other = answers.find((it) => it.addresses.length > 0 && !answers.some(isSame));
  const by = hostsLine !== undefined
    ? `from line ${hostsLine} of /etc/hosts`
    : `answered by ${
      answers.find(isSame)?.server ?? (answers.map(({ server }) => server).join(", ") || file)
    }`;
  const odd = oddAddresses(addresses);
  return [
    odd === undefined ? by : `${by}, ${odd}`,
    ...other === undefined ? [] : [`${other.server} answers ${other.addresses.join(", ")}`],
  ].join("; ");
}

/** Judges the answers about a name. */
export function judgeName(evidence: NameEvidence, way: Omit<Way, "dialer">): Finding {
  const { addresses, ms, answers, hostsLine, file } = evidence;
  const { host, text: hop } = hopOf(way);
  const each = answers.map(answerText).join("; ");
  if (addresses.length === 0) return unresolved(evidence, way);
  const said = `${hop} is ${addresses.join(", ")}, ${sourceText(evidence)}`;
  if (addresses.every((it) => ["0.0.0.0", "::"].includes(it))) {
    return failed(
      `${said}: that is no server's address, but how a filter blocks a name`,
      hostsLine === undefined
        ? `allow ${host} in the filter of ${
          answers[0]?.server ?? "the name server"
        } (Pi-hole, AdGuard, the router's)`
        : `remove line ${hostsLine} of /etc/hosts`,
    );
  }
  if (ms < SLOW_MS) return ok(said);
  const slow = `${said}, after ${seconds(ms)}${each === "" ? "" : ` (${each})`}`;
  const dead = answers.find(isSilent);
  if (dead !== undefined && dead !== answers.at(-1)) {
    const advice =
      `${dead.server} does not answer, and is asked before the others: start it, or remove it from ${
        placeIn(evidence)
      }`;
    return warning(slow, advice);
  }
  const lacking = answers.find(({ lacksIpv6 }) => lacksIpv6);
  return warning(
    slow,
    lacking &&
      `see whether ${lacking.server} answers to AAAA, for which the system waits: dig AAAA @${lacking.server} ${host}`,
    `see which part of the system answers late: time getent ahosts ${host}; cat ${file}`,
    otherServer(way),
  );
}

/** A name without an address: what each server says about it. */
function unresolved(evidence: NameEvidence, way: Omit<Way, "dialer">): Finding {
  const { answers, file, error = "" } = evidence;
  const { host, text: hop } = hopOf(way);
  if (answers.length === 0 && file === RESOLV_CONF) return noServer(evidence, hop);
  const text = `Cannot resolve ${hop}: asked ${answers.map(answerText).join("; ")}`;
  if (evidence.hostsLine !== undefined) {
    return failed(
      `${text}; line ${evidence.hostsLine} of /etc/hosts has it, and the system does not take it from there`,
      "have the line hosts: of /etc/nsswitch.conf begin with files: grep hosts /etc/nsswitch.conf",
    );
  }
  const [first] = answers;
  const codes = new Set(answers.map(({ code }) => code));
  if (answers.some(({ code }) => code === "NOERROR")) {
    // The system asks no further server after one that says that there is no such name.
    const lacking = answers.find(({ lacksIpv6 }) => lacksIpv6);
    return failed(
      `${text}; and the system: ${error}`,
      lacking &&
        `have ${lacking.server} answer to AAAA, for which the system waits, or this agent not wait for it: ${
          given(way, `--custom-dns ${lacking.server}`)
        }`,
      `see what the system makes of it: getent ahosts ${host}; resolvectl query ${host}`,
      `see who is asked, in which order: grep hosts /etc/nsswitch.conf; cat ${RESOLV_CONF}`,
      first !== undefined && first.code !== "NOERROR" &&
        `put a server that knows the name before ${first.server} in ${placeIn(evidence)}`,
    );
  }
  const knowing = answers.find((it) => !isSilent(it));
  if (knowing !== undefined && /NXDOMAIN|no address/.test(knowing.code)) {
    return failed(
      text,
      ...causeOf({ stage: "lookup", error: "no such name" }, way).advice,
    );
  }
  if (knowing !== undefined) {
    return failed(
      text,
      `see whether ${knowing.server} answers about other names: dig @${knowing.server} example.com`,
      codes.has("SERVFAIL") &&
        `see whether DNSSEC refuses the name: dig +cd @${knowing.server} ${host}`,
      otherServer(way),
    );
  }
  const server = first?.server ?? "";
  if (isInContainerImage()) {
    return failed(
      text,
      "give the container a name server that it reaches: docker run --dns ADDRESS",
    );
  }
  return failed(
    text,
    server === "127.0.0.53"
      ? "start systemd-resolved, which would answer there: systemctl enable --now systemd-resolved"
      : `see whether a name server is there: ping -c 3 ${server}; correct it in ${
        placeIn(evidence)
      } if not`,
    "see whether a firewall drops port 53 (udp): nft list ruleset || iptables-save",
    otherServer(way),
  );
}

/** Why the system knows no name server, by the file that should name it. */
function noServer({ isMissing, target, oddLine, file }: NameEvidence, hop: string): Finding {
  const write = "name one: echo nameserver 1.1.1.1 >>/etc/resolv.conf";
  if (oddLine !== undefined) {
    const word = JSON.stringify(oddLine);
    return failed(
      `Cannot resolve ${hop}: ${file} names a server by no address: ${word}`,
      "write one address on each line, without a carriage return: nameserver ADDRESS",
    );
  }
  const state = isMissing === true
    ? target === undefined
      ? `there is no ${file}`
      : `${file} is a link to ${target}, which is not there`
    : `${file} names no name server`;
  return failed(
    `Cannot resolve ${hop}: ${state}`,
    target?.includes("systemd/resolve/") &&
      "start what writes it: systemctl enable --now systemd-resolved",
    target === undefined ? write : `or have a file in its place: rm ${file}; ${write.slice(10)}`,
  );
}

function isSilent({ code, addresses }: NameAnswer): boolean {
  return addresses.length === 0 && !/^(?:[A-Z]+|no address|response code \d+)$/.test(code);
}

/** What a name server has answered, in words. */
function answerText(answer: NameAnswer): string {
  const { server, code, ms, lacksIpv6 = false } = answer;
  if (isSilent(answer)) return `${server}: ${code}`;
  const late = lacksIpv6 ? ", and no answer to AAAA" : "";
  return `${server}: ${code} (${Math.round(ms)} ms)${late}`;
}

function placeIn({ file, writer }: NameEvidence): string {
  return writer === undefined ? file : `${file}, which ${writer} writes`;
}

function otherServer(way: Omit<Way, "dialer">): Line {
  return `or ask another name server: ${given(way, "--custom-dns ADDRESS")}`;
}
