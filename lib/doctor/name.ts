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
import { ipFamily } from "../parse/ip_address.ts";
import { failed, type Finding, type Line, ok, warning } from "./check.ts";
import { given } from "./options.ts";
import { causeOf, failureText, hopOf, type OpenWay, seconds, type Way } from "./way.ts";

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
  /** Where the servers are named. */
  readonly file: string;
  readonly answers: readonly NameAnswer[];
}

/** Has the system resolve the name of the first hop, and asks each of its name servers, too. */
export async function gatherName(way: OpenWay, signal: AbortSignal): Promise<NameEvidence> {
  const { host } = hopOf(way);
  const { nameServer } = way.config;
  const text = attempt(() => Deno.readTextFileSync(RESOLV_CONF)) ?? "";
  const named = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, it = ""]) => it)
    .filter((word) => ipFamily(word.replace(/%.*/, "")) !== undefined);
  const servers = nameServer === undefined
    ? named.map((host) => ({ host, port: 53 })).slice(0, MAX_SERVERS)
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
    file: nameServer === undefined ? RESOLV_CONF : "--custom-dns",
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

/** Who has given the addresses, in words, and who contradicts. */
export function sourceText({ addresses, hostsLine, answers, file }: NameEvidence): string {
  if (hostsLine !== undefined) return `from line ${hostsLine} of /etc/hosts`;
  const isSame = ({ addresses: of }: NameAnswer) => of.some((it) => addresses.includes(it));
  const by = answers.find(isSame)?.server ??
    (answers.map(({ server }) => server).join(", ") || file);
  const other = answers.find((it) => it.addresses.length > 0 && !answers.some(isSame));
  return `answered by ${by}` +
    (other === undefined ? "" : `; ${other.server} answers ${other.addresses.join(", ")}`);
}

/** Judges the answers about a name. */
export function judgeName(evidence: NameEvidence, way: Way): Finding {
  const { addresses, ms, answers, hostsLine, file } = evidence;
  const { host, text: hop } = hopOf(way);
  if (addresses.length === 0) return unresolved(evidence, way);
  const said = `${hop} is ${addresses.join(", ")}, ${sourceText(evidence)}`;
  if (addresses.every((it) => ["0.0.0.0", "::"].includes(it))) {
    return failed(
      `${said}: a filter blocks this name`,
      hostsLine === undefined
        ? `allow ${host} in the filter of ${
          answers[0]?.server ?? "the name server"
        } (Pi-hole, AdGuard, the router's)`
        : `remove line ${hostsLine} of /etc/hosts`,
    );
  }
  if (ms < SLOW_MS) return ok(said);
  const slow = `${said}, after ${seconds(ms)} (${answers.map(answerText).join("; ")})`;
  const dead = answers.find(isSilent);
  if (dead !== undefined && dead !== answers.at(-1)) {
    return warning(
      slow,
      `${dead.server} does not answer, and is asked before the others: start it, or remove it from ${file}`,
    );
  }
  return warning(
    slow,
    lookAtAaaa(answers, host),
    `see which part of the system answers late: time getent ahosts ${host}`,
    otherServer(way),
  );
}

/** A name without an address: what each server says about it. */
function unresolved(evidence: NameEvidence, way: Way): Finding {
  const { answers, file, error = "" } = evidence;
  const { host, text: hop } = hopOf(way);
  if (answers.length === 0 && file === RESOLV_CONF) {
    return failed(
      `no address for ${hop}: ${file} lists no name server's address`,
      `name one: echo nameserver 1.1.1.1 >>${file}`,
      `see what writes that file: ls -l ${file}; resolvectl status`,
    );
  }
  const asked = `asked ${answers.map(answerText).join("; ")}`;
  const knowing = answers.find((it) => !isSilent(it));
  if (knowing === undefined) {
    const [first = { server: "", code: "" }] = answers;
    const servers = answers.map(({ server }) => server).join(", ");
    const isConfigured = file !== RESOLV_CONF;
    const seen = `the ${
      isConfigured ? "configured " : ""
    }name server ${servers} does not answer (${first.code})`;
    const { reason, advice } = causeOf({ stage: "lookup", error: seen }, way);
    return failed(
      reason,
      !isConfigured && isInContainerImage() &&
        "give the container a name server that it reaches: docker run --dns ADDRESS",
      !isConfigured && first.server === "127.0.0.53" &&
        "start systemd-resolved, which would answer there: systemctl enable --now systemd-resolved",
      ...advice,
    );
  }
  if (answers.some(({ code }) => code === "NOERROR")) {
    // The system asks no further server after one that says that there is no such name.
    return failed(
      `no address for ${hop}: ${asked}; and the system: ${error}`,
      lookAtAaaa(answers, host),
      `see what the system makes of it: getent ahosts ${host}; cat ${RESOLV_CONF}`,
      otherServer(way),
    );
  }
  if (/NXDOMAIN|no address/.test(knowing.code)) {
    const { reason, advice } = causeOf({ stage: "lookup", error: "no such name" }, way);
    return failed(`${reason}; ${asked}`, ...advice);
  }
  return failed(
    `no address for ${hop}: ${asked}`,
    `see whether ${knowing.server} answers about other names: dig @${knowing.server} example.com`,
    otherServer(way),
  );
}

/** A look at a server that answers for IPv4 alone. */
function lookAtAaaa(answers: readonly NameAnswer[], host: string): Line {
  const lacking = answers.find(({ lacksIpv6 }) => lacksIpv6)?.server;
  return lacking &&
    `see whether ${lacking} answers AAAA queries, which the system waits for: dig AAAA @${lacking} ${host}`;
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

function otherServer(way: Way): string {
  return `or ask another name server: ${given(way, "--custom-dns ADDRESS")}`;
}
