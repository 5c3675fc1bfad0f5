/**
 * The name servers of this system, and what each of them answers when `doctor` asks it itself.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { isTimeout } from "../async/timeout.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { lookUpHostsFile } from "../net/dns.ts";
import { queryNameServer } from "../net/dns_query.ts";
import { ipFamily } from "../parse/ip_address.ts";
import type { HostAndPort } from "../parse/proxy.ts";
import { connectError } from "./doctor_loss.ts";
import { kernelRoutes } from "./doctor_route.ts";
import { failureText, firstHop, type Way } from "./doctor_way.ts";

/** A name server listens there by TCP, too, if there is one. */
export const REFUSED_BY_TCP = "no answer by UDP, and TCP is refused";
/** It is there, and what is sent by UDP is lost on the way. */
export const OPEN_BY_TCP = "no answer by UDP, and TCP is open";
/** The kernel takes no packet to it: a firewall of this machine, or the unit of a service. */
export const FORBIDDEN = "no answer: this machine may not send to it";
/** The kernel knows no way to it. */
const NO_ROUTE = "no answer: no route leads to it";
/** Time for the answer of one server to one question. */
const QUERY_MS = 1_500;
const TCP_MS = 500;
/** Servers that are asked one by one. */
const MAX_SERVERS = 3;

/** Who the system asks for a name, by its files. */
export interface NameSources {
  /** The words of the line `hosts:` of nsswitch.conf; `undefined` where there is none. */
  readonly order: readonly string[] | undefined;
  readonly servers: readonly HostAndPort[];
  /** Where systemd-resolved answers, which asks them; `undefined` where the system asks them itself. */
  readonly stub?: HostAndPort | undefined;
  /** The same in words. */
  readonly asked: string;
  /** Where the servers are named. */
  readonly file: string;
  /** The line there of the first server, where the system asks it itself. */
  readonly line?: number | undefined;
  /** The first line there that names a server by something else than an address. */
  readonly noAddress?: { readonly word: string; readonly line: number } | undefined;
  /** The first line there that begins with a word which the system does not know. */
  readonly oddLine?: { readonly text: string; readonly line: number } | undefined;
  /** The domains that are tried behind a name, and the options of the system's own questions. */
  readonly search?: readonly string[];
  readonly options?: string | undefined;
  /** The line of `/etc/hosts` that has the name. */
  readonly hostsLine: number | undefined;
  /** Whether the system does not read `/etc/hosts`. */
  readonly leavesOutHosts: boolean;
  /** Files that this user may not read. */
  readonly unreadable: readonly string[];
  /** Whether there is no `/etc/resolv.conf`. */
  readonly isMissing?: boolean | undefined;
  /** Where a link of that name leads. */
  readonly target?: string | undefined;
}

/** What one name server has answered. */
export interface NameAnswer {
  readonly server: string;
  /** A response code, or why there is none. */
  readonly code: string;
  readonly ms: number;
  readonly addresses: readonly string[];
  /** How many of its questions it has not answered; absent where it has answered all, or none. */
  readonly lost?: { readonly lost: number; readonly all: number } | undefined;
  /** Whether it answers all questions for IPv4, and none for IPv6. */
  readonly isSilentOnIpv6?: boolean;
}

/** So often a question is asked at once, to tell a lost packet from a silent server. */
const TIMES = 3;

/** Asks each name server itself, at the same time, for addresses of both families, so many times each. */
export function askEach(
  host: string,
  { servers }: NameSources,
  { signal, times = TIMES }: { signal: AbortSignal; times?: number },
): Promise<NameAnswer[]> {
  return Promise.all(
    servers.slice(0, MAX_SERVERS).map((server) => ask(host, server, { signal, times })),
  );
}

async function ask(
  host: string,
  { host: server, port }: HostAndPort,
  { signal, times }: { signal: AbortSignal; times: number },
): Promise<NameAnswer> {
  const startedAtMs = performance.now();
  const allOf = (type: "A" | "AAAA") => {
    const options = { timeoutMs: QUERY_MS, signal, type };
    const query = () => queryNameServer({ host: server, port }, host, options);
    return Promise.allSettled(Array.from({ length: times }, query));
  };
  const [ofIpv4, ofIpv6] = await Promise.all([allOf("A"), allOf("AAAA")]);
  signal.throwIfAborted();
  const all = [...ofIpv4, ...ofIpv6];
  const answers = all.flatMap((it) => it.status === "fulfilled" ? it.value : []);
  const [first] = answers;
  if (first === undefined) {
    const error = all.find((it) => it.status === "rejected")?.reason;
    const ms = performance.now() - startedAtMs;
    return { server, code: await silence(error, { server, port, signal }), addresses: [], ms };
  }
  const addresses = [...new Set(answers.flatMap((it) => it.addresses))];
  const isSilent = ({ status }: { status: string }) => status === "rejected";
  // That it has none of the one family says nothing of the other.
  const unknown = ofIpv4.every(isSilent)
    ? "no answer to questions for IPv4 (A)"
    : ofIpv6.every(isSilent)
    ? "no answer to questions for IPv6 (AAAA)"
    : "no address";
  const code = first.code === "NOERROR" && addresses.length === 0 ? unknown : first.code;
  const isSilentOnIpv6 = !ofIpv4.some(isSilent) && ofIpv6.every(isSilent);
  const lost = all.length - answers.length;
  return {
    ...{ server, code, addresses, ms: Math.min(...answers.map(({ ms }) => ms)), isSilentOnIpv6 },
    lost: lost === 0 || isSilentOnIpv6 ? undefined : { lost, all: all.length },
  };
}

/** Why a server does not answer: nothing listens there, by TCP, or it says nothing at all. */
async function silence(
  error: unknown,
  { server, port, signal }: { server: string; port: number; signal: AbortSignal },
): Promise<string> {
  if (!isTimeout(error)) {
    const route = kernelRoutes()(server);
    return route !== undefined && "kind" in route ? NO_ROUTE : FORBIDDEN;
  }
  const isOpen = await opensByTcp({ host: server, port }, signal);
  return isOpen === undefined ? failureText(error) : isOpen ? OPEN_BY_TCP : REFUSED_BY_TCP;
}

/** Whether a server takes a connection, or refuses it; `undefined` where nothing comes back. */
async function opensByTcp(
  { host, port }: HostAndPort,
  signal = new AbortController().signal,
): Promise<boolean | undefined> {
  const error = await connectError(host, { port, timeoutMs: TCP_MS, signal });
  if (error === undefined) return true;
  return error instanceof Deno.errors.ConnectionRefused ? false : undefined;
}

/** Whether a name server gave no answer. */
export function isSilent({ code }: NameAnswer): boolean {
  return /answer/.test(code);
}

/** What a name server has answered, in words. */
export function answerText(answer: NameAnswer): string {
  const { server, code, ms, lost, isSilentOnIpv6 } = answer;
  if (isSilent(answer)) return `${server}: ${code}`;
  const answered = `${server}: ${code} (${Math.round(ms)} ms)`;
  if (isSilentOnIpv6) return `${answered}, and no answer to questions for IPv6 (AAAA)`;
  return lost === undefined
    ? answered
    : `${answered}, and no answer to ${lost.lost} of ${lost.all} questions`;
}

export const RESOLV_CONF = "/etc/resolv.conf";
export const HOSTS = "/etc/hosts";
/** The name servers that systemd-resolved asks. */
export const RESOLVED_CONF = "/run/systemd/resolve/resolv.conf";
/** Where systemd-resolved answers. */
export const RESOLVED_ADDRESS = "127.0.0.53";

/** Reads who the system asks for a name. */
export async function readSources(way: Way): Promise<NameSources> {
  const { nameServer } = way.config;
  const [nsswitch, resolv, hosts, resolved] = await Promise.all(
    ["/etc/nsswitch.conf", RESOLV_CONF, HOSTS, RESOLVED_CONF].map(readFile),
  );
  const order = /^hosts:(.*)$/m.exec(nsswitch?.text ?? "")?.[1]?.replace(/#.*|\[.*?\]/g, "").trim()
    .split(/\s+/);
  const ofName = hostsLine(hosts?.text, firstHop(way).host);
  if (nameServer !== undefined) {
    const place = way.config.origins.get("custom_dns") ?? "";
    const file = place === "" || place.startsWith("flag ") ? "--custom-dns" : place;
    const asked = `${nameServer.host} port ${nameServer.port}, of ${file}`;
    const unreadable = hosts?.isDenied ? [HOSTS] : [];
    const ofHosts = { hostsLine: ofName, leavesOutHosts: false, unreadable };
    return { order, servers: [nameServer], asked, file, ...ofHosts };
  }
  const words = serversIn(resolv?.text);
  const addresses = words.map(({ word }) => word).filter(isAddress);
  const ofFiles = {
    ...{ order, hostsLine: ofName, noAddress: words.find(({ word }) => !isAddress(word)) },
    ...{ oddLine: oddLine(resolv?.text), options: valueIn(resolv?.text, "options") },
    search: valueIn(resolv?.text, "search|domain")?.split(/\s+/) ?? [],
    // systemd-resolved reads it, too.
    leavesOutHosts: order?.every((it) => !/^(files|resolve)$/.test(it)) ?? false,
    unreadable: [...hosts?.isDenied ? [HOSTS] : [], ...resolv?.isDenied ? [RESOLV_CONF] : []],
    isMissing: resolv?.isMissing,
    target: attempt(() => Deno.readLinkSync(RESOLV_CONF)),
  };
  const stub = dnsServer(RESOLVED_ADDRESS);
  // Where it was stopped, its files stay until the next start of the machine.
  const isRunning = addresses.includes(RESOLVED_ADDRESS) && resolved?.text !== undefined &&
    await opensByTcp(stub) !== false;
  const ofResolved = isRunning ? resolved?.text : undefined;
  if (ofResolved === undefined) {
    const asked = addresses.length === 0 ? "the system" : addresses.join(", ");
    const writer = isInContainerImage()
      ? "the container's runtime (--dns)"
      : writerOf(resolv?.text);
    const file = writer === undefined ? RESOLV_CONF : `${RESOLV_CONF}, which ${writer} writes`;
    const { line } = words.find(({ word }) => isAddress(word)) ?? {};
    return { ...ofFiles, servers: addresses.map(dnsServer), asked, file, line };
  }
  const above = serversIn(ofResolved).map(({ word }) => word);
  return {
    ...ofFiles,
    servers: above.map(dnsServer),
    stub,
    asked: above.length === 0 ? "systemd-resolved" : `systemd-resolved (${above.join(", ")})`,
    file: above.length === 0 ? RESOLVED_CONF : "the settings of systemd-resolved (resolvectl dns)",
  };
}

/** The program that has written a resolv.conf, and would write over a change, by its own comment. */
function writerOf(resolv = ""): string | undefined {
  return /^# ?(?:.*\b(?:generated|managed|written) by) ([\w. ()+:/-]{1,60}?)[.,]?$/im.exec(resolv)
    ?.[1];
}

function dnsServer(host: string): HostAndPort {
  return { host, port: 53 };
}

/** Whether a word is an address, which may name its interface (`fe80::1%eth0`). */
function isAddress(word: string): boolean {
  return ipFamily(word.replace(/%.*/, "")) !== undefined;
}

function serversIn(resolv = ""): { word: string; line: number }[] {
  return resolv.split("\n").flatMap((text, at) => {
    // A carriage return at the end is a part of it, for the system.
    const word = /^\s*nameserver\s+(\S+\r?)/.exec(text)?.[1];
    return word === undefined ? [] : [{ word, line: at + 1 }];
  });
}

/** The value of the last line of a resolv.conf that begins with a word. */
function valueIn(resolv = "", word: string): string | undefined {
  return [...resolv.matchAll(new RegExp(`^(?:${word})[ \\t]+(.*\\S)`, "gm"))].at(-1)?.[1];
}

const KNOWN_LINE = /^\s*(?:$|[#;]|(?:nameserver|domain|search|options|sortlist|family|lookup)\s)/;

function oddLine(resolv = ""): { text: string; line: number } | undefined {
  const lines = resolv.split("\n");
  const at = lines.findIndex((line) => !KNOWN_LINE.test(`${line} `));
  return at === -1 ? undefined : { text: lines[at] ?? "", line: at + 1 };
}

/** The number of the first line of `/etc/hosts` with a name; `undefined` when none has it. */
function hostsLine(hosts: string | undefined, host: string): number | undefined {
  const at = (hosts ?? "").split("\n").findIndex((line) => lookUpHostsFile(line, host).length > 0);
  return at === -1 ? undefined : at + 1;
}

/** The text of a file, or why it can't be read. */
export async function readFile(
  path: string,
): Promise<{ text?: string; isMissing?: boolean; isDenied?: boolean }> {
  try {
    return { text: await Deno.readTextFile(path) };
  } catch (error) {
    return {
      isMissing: error instanceof Deno.errors.NotFound,
      isDenied: error instanceof Deno.errors.PermissionDenied,
    };
  }
}
