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
import { IcmpProbe } from "../probe/icmp.ts";
import { startShell } from "../sandbox/shell.ts";
import { failed, type Finding, type Line, ok, warning } from "./check.ts";
import type { NetworkEvidence } from "./network.ts";
import { endpointPlace, given, writeAddress } from "./options.ts";
import { panelAmong, PanelCalls } from "./panel_calls.ts";
import {
  addressOf,
  causeOf,
  failureText,
  hopOf,
  seconds,
  usualAddresses,
  type Way,
} from "./way.ts";

const CONNECT_MS = 5_000;
const OWN_FIREWALL =
  "see which rule of this machine's firewall refuses it: nft list ruleset || iptables-save";
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
  if (stage === "proxy") return failed(error, ...causeOf({ stage, error }, way).advice);
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
  const seen = causeOf({ stage: "connect", error: `${error} (${address})` }, way);
  if (way.proxy !== undefined) return [...seen.advice];
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
  if (seen.cause === "refused") return [write, ...seen.advice, isPanels];
  if (seen.cause !== "dropped") return [...seen.advice, isPanels];
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
