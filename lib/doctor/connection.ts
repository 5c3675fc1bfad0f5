/**
 * The connection to a panel, or to the proxy on the way.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { attemptWithin, isTimeout, withTimeout } from "../async/timeout.ts";
import { isInContainer } from "../host/this_program.ts";
import { hostRoots } from "../metrics/open_machine.ts";
import { DialError, type DialStage } from "../net/errors.ts";
import { connectAbortable } from "../net/happy_eyeballs.ts";
import { addressScope, ipFamily, isLoopbackHost } from "../parse/ip_address.ts";
import { urlHost } from "../parse/probe_target.ts";
import { IcmpProbe } from "../probe/icmp.ts";
import { startShell } from "../sandbox/shell.ts";
import { failed, type Finding, type Line, ok, warning } from "./check.ts";
import type { NetworkEvidence } from "./network.ts";
import { endpointPlace, given, proxyNames, withoutProxy, writeAddress } from "./options.ts";
import { panelAmong, PanelCalls } from "./panel_calls.ts";
import { addressOf, failureText, hopOf, seconds, usualAddresses, type Way } from "./way.ts";

const CONNECT_MS = 5_000;
/** The kernel sends a packet again after 1 s. */
const SLOW_MS = 1_000;
/** For what is tried after a failure, all at the same time. */
const LOOK_MS = 1_500;

export interface ConnectionEvidence {
  readonly ms: number;
  /** The address that has connected. */
  readonly address?: string;
  readonly error?: string;
  readonly stage?: DialStage;
  readonly isLate?: boolean;
  /** Whether it answers a ping; `undefined` where none can be sent. */
  readonly isPinged?: boolean | undefined;
  /** Other usual addresses of its host that take connections, and the one of them at which a panel answers. */
  readonly open?: readonly string[];
  readonly panelAt?: string | undefined;
  readonly isContained?: boolean;
  /** Connections that the kernel's table has, where it is full. */
  readonly fullTable?: number | undefined;
}

/** Opens a connection; where that fails, looks what else answers there. */
export async function gatherConnection(
  way: Way,
  signal: AbortSignal,
): Promise<ConnectionEvidence> {
  const startedAtMs = performance.now();
  try {
    const connect = (signal: AbortSignal) => way.dialer.connect(way.url, { signal });
    const { connection } = await withTimeout(connect, { timeoutMs: CONNECT_MS, signal });
    const { hostname: address } = connection.remoteAddr;
    connection.close();
    return { ms: performance.now() - startedAtMs, address };
  } catch (error) {
    signal.throwIfAborted();
    const ms = performance.now() - startedAtMs;
    const address = addressOf(way);
    const isDirect = way.proxy === undefined;
    const [isPinged, open] = await Promise.all([
      isTimeout(error) ? answersPing(address, way, signal) : undefined,
      isDirect ? openAddresses(way, signal) : [],
    ]);
    const [count, max] = ["count", "max"].map((it) =>
      Number(attempt(() => Deno.readTextFileSync(`/proc/sys/net/netfilter/nf_conntrack_${it}`)))
    );
    return {
      ...{ ms, error: failureText(error), isLate: isTimeout(error), isPinged, open },
      stage: error instanceof DialError ? error.stage : "connect",
      panelAt: await panelAmong(open, { calls: new PanelCalls(way), signal }),
      isContained: isInContainer(),
      fullTable: count !== undefined && max !== undefined && count >= max ? count : undefined,
    };
  }
}

async function answersPing(
  address: string,
  { config }: Way,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const shell = startShell({ ...hostRoots(config.hostProc), os: Deno.build.os });
  const probe = new IcmpProbe(shell);
  try {
    const send = (signal: AbortSignal) => probe.probe([address], { signal });
    const ms = await attemptWithin(send, { timeoutMs: LOOK_MS, signal });
    return ms !== undefined || (await probe.isUsable({ signal }) ? false : undefined);
  } finally {
    await shell?.close();
  }
}

async function openAddresses(way: Way, signal: AbortSignal): Promise<string[]> {
  const all = await Promise.all(
    usualAddresses(way.url).map(async ({ address, port }) => {
      const connect = (signal: AbortSignal) => connectAbortable(addressOf(way), { port, signal });
      const connection = await attemptWithin(connect, { timeoutMs: LOOK_MS, signal });
      connection?.close();
      return connection === undefined ? [] : address;
    }),
  );
  return all.flat();
}

const OWN_FIREWALL =
  "see whether a firewall here drops or refuses it: nft list ruleset || iptables-save";

/** What else is known where a connection is judged. */
interface Known {
  readonly way: Omit<Way, "dialer">;
  readonly network: NetworkEvidence | undefined;
  /** Who has given the address; empty where it is configured itself. */
  readonly source: string;
}

/** Judges the try to connect. */
export function judgeConnection(evidence: ConnectionEvidence, known: Known): Finding {
  const { ms, address, error, stage } = evidence;
  const { way, source } = known;
  const { port } = hopOf(way);
  const given = source === "" ? "" : ` (${source})`;
  if (error === undefined) {
    const through = way.proxy === undefined ? "connected to" : "connected through the proxy";
    const text = `${through} ${address} port ${port}${given}`;
    return ms < SLOW_MS ? ok(text) : warning(
      `${text}, after ${seconds(ms)}`,
      `see whether packets are lost on the way, of which one costs 1 s: ping -c 20 ${address}`,
      `see where: mtr -rn -c 20 ${address}`,
    );
  }
  if (stage === "proxy") return failed(error, ...refusingProxy(error, way));
  const where = evidence.isLate
    ? `Cannot connect to ${hopOf(way).text} port ${port}${
      way.addresses.length === 0 ? "" : ` (${addressOf(way)})`
    }: ${error}`
    : error;
  const { isPinged, panelAt, open = [], fullTable } = evidence;
  const text = [
    `${where}${given}`,
    ...isPinged === undefined ? [] : [isPinged ? "it answers pings" : "nor does it answer pings"],
    ...fullTable === undefined ? [] : [`the kernel's table of connections is full (${fullTable})`],
    ...panelAt !== undefined
      ? [`a Komari panel answers at ${panelAt}`]
      : open.length > 0
      ? [`it connects for ${open.join(", ")}`]
      : [],
  ].join("; ");
  return failed(text, ...unconnected(evidence, known));
}

/** What to do about a connection that was not opened. */
function unconnected(evidence: ConnectionEvidence, { way, network, source }: Known): Line[] {
  const { error = "", isLate, isPinged, panelAt, fullTable, isContained = false } = evidence;
  const { host, port } = hopOf(way);
  const address = addressOf(way);
  const family = ipFamily(address);
  const isPanels = source !== "" && `see whether ${address} is the panel's address (${source})`;
  const write = panelAt !== undefined && writeAddress(panelAt, way);
  if (fullTable !== undefined) {
    return [`have it keep more: sysctl -w net.netfilter.nf_conntrack_max=${2 * fullTable}`];
  }
  if (way.proxy !== undefined) {
    return [
      `see whether the proxy listens: nc -vz ${host} ${port}`,
      `correct ${proxyNames(way)}, which names it`,
      `or reach the panel without it: ${withoutProxy(way)}`,
    ];
  }
  if (isLoopbackHost(address)) {
    const isElsewhere = source === ""
      ? `if the panel is on another machine, write its address into ${endpointPlace(way)}`
      : `if the panel is on another machine, its address is wrong here (${source})`;
    return [
      write,
      source !== "" && isElsewhere,
      isContained &&
      "within a container this address is the container itself: give the panel's name or address, or start " +
        "the container with --network host",
      `if the panel is on this machine, start it: ss -ltn shows what listens; if it listens on another port than ` +
      `${port}, correct ${endpointPlace(way)}`,
      isElsewhere,
    ];
  }
  const lacks = family !== undefined && network !== undefined &&
    !network.interfaces.some(({ addresses }) => addresses.some((it) => ipFamily(it) === family));
  if (lacks && way.addresses.every((it) => ipFamily(it) === family)) {
    const other = family === 4 ? 6 : 4;
    return [
      `no interface here has an IPv${family} address: ${
        host === address
          ? `write a name of the panel with an IPv${other} address into ${endpointPlace(way)}`
          : `give ${host} an IPv${other} address, too (${family === 4 ? "AAAA" : "A"} record)`
      }, or have a CDN with both stand before it`,
      family === 4 &&
      `or ask a name server for addresses of a NAT64 (DNS64), if the provider has one: ${
        given(way, "--custom-dns ADDRESS")
      }`,
      `if this machine is to have IPv${family}, see why it has none: ip addr; sysctl -a -r disable_ipv6`,
    ];
  }
  if (/refused/.test(error)) {
    return [
      write,
      `see on the panel's machine whether it listens on port ${port}, and not at 127.0.0.1 alone: ss -ltn`,
      write === false &&
      `correct the port in ${endpointPlace(way)}, if it is another one than ${port}`,
      isPanels,
      "see whether a firewall, here or there, answers in its place: nft list ruleset || iptables-save",
    ];
  }
  if (/does not let it through/.test(error)) {
    return [
      OWN_FIREWALL,
      "see what else forbids it: journalctl -k | grep -i denied (SELinux, AppArmor)",
    ];
  }
  if (/unreachable|leads nowhere|prohibited|no address of that family/.test(error)) {
    const ip = family === 6 ? "ip -6" : "ip";
    return [
      /no address of that family/.test(error) &&
      "see whether an address here may be used, and is not tentative or dadfailed, and a port is free: ip addr; ss -s",
      /host is unreachable/.test(error) &&
      `see who says so, and whether a machine is there: ping -c 3 ${address}; ip neigh show ${address}`,
      `see whether this machine has a route to it, or one that refuses it: ${ip} route get ${address}; ${ip} rule`,
      isPanels,
      OWN_FIREWALL,
    ];
  }
  const isFar = addressScope(address) === "private" ||
    /^100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(address);
  return isLate !== true ? [`see how far packets get: traceroute -n ${address}`] : [
    write,
    isFar &&
    `${address} is reached within its own network or VPN alone: see whether this machine is in it: ip addr`,
    `see from another machine, or in your browser, whether it answers: curl -m 10 -I ${way.url.origin}`,
    isPinged === true
      ? `see on the panel's machine whether its firewall, or its provider's (security group), drops port ${port}, or ` +
        "bans this machine (fail2ban): nft list ruleset || iptables-save"
      : `see how far packets get, and by which way: ip route get ${address}; traceroute -n ${address}`,
    OWN_FIREWALL,
  ];
}

/** A proxy that was reached and opens no way to the panel. */
export function refusingProxy(message: string, way: Omit<Way, "dialer">): Line[] {
  const { url, proxy } = way;
  const [host, names] = [urlHost(url), proxyNames(way)];
  if (/ 40[17]\b|user or password|authentication method/.test(message)) {
    return [
      proxy?.login === undefined
        ? `put the proxy's user and password into ${names}: ${
          proxy?.kind ?? "http"
        }://USER:PASSWORD@HOST:PORT`
        : `the proxy does not accept this user and password: correct them in ${names}`,
    ];
  }
  const without = `or reach ${host} without the proxy: ${withoutProxy(way)}`;
  if (/ 403\b|rules forbid/.test(message)) return [`have the proxy allow ${host}`, without];
  if (/ 50[234]\b|unreachable|refused|general failure|TTL/.test(message)) {
    return [
      `see on the proxy's machine whether it reaches ${host}: curl -v ${url.origin}`,
      without,
    ];
  }
  return [
    `see whether ${names} names a proxy of that kind, and no web server (http://, socks5h://): curl -v -x ` +
    `${proxy?.kind ?? "http"}://${proxy?.host}:${proxy?.port} ${url.origin}`,
    without,
  ];
}
