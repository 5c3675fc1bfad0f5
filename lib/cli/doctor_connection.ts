/**
 * The check of `doctor` of the connection to a panel, or to the proxy on the way.
 *
 * @module
 */

import { isTimeout, withTimeout } from "../async/timeout.ts";
import { connectErrorMessage } from "../net/error_messages.ts";
import { FAR_ADDRESSES } from "../host/routes.ts";
import { ipFamily, isLoopbackHost } from "../parse/ip_address.ts";
import { type CheckResult, ok, warning } from "./checks.ts";
import {
  answersPing,
  connectError,
  FURTHER_CONNECTIONS,
  lossAdvice,
  lostPings,
  SLOW_CONNECT_MS,
  slowConnections,
} from "./doctor_loss.ts";
import { CONNECT_MS } from "./doctor_network.ts";
import { type AskRoute, kernelRoutes, routeFinding } from "./doctor_route.ts";
import { notConnected } from "./doctor_unconnected.ts";
import { oldAddressAdvice, preferOther } from "./doctor_addresses.ts";
import { addressOf, firstHop, seconds, type Way } from "./doctor_way.ts";

/** For the other addresses of a name, so many of them. */
const OTHER_CONNECT_MS = 2_000;
const MAX_OTHERS = 4;

/** A connection that was made, with what is said of it. */
interface Connected {
  readonly way: Way;
  readonly remote: Deno.NetAddr;
  readonly text: string;
  readonly signal: AbortSignal;
}

/** Opens a connection to the panel, or through its proxy. */
export async function checkConnection(
  way: Way,
  signal: AbortSignal,
  askRoute: AskRoute = kernelRoutes(),
): Promise<CheckResult> {
  const { url, proxy, dialer } = way;
  const startedAtMs = performance.now();
  try {
    const connect = (signal: AbortSignal) => dialer.connect(url, { signal });
    const { connection } = await withTimeout(connect, { timeoutMs: CONNECT_MS, signal });
    const { remoteAddr: remote } = connection;
    const { hostname, port } = remote;
    connection.close();
    const connected = proxy === undefined
      ? `connected to ${hostname} port ${port}`
      : `connected through the proxy ${hostname} port ${port}`;
    const text = way.answeredBy === "" ? connected : `${connected} (${way.answeredBy})`;
    const ms = performance.now() - startedAtMs;
    if (ms >= SLOW_CONNECT_MS) {
      return await slowConnection({ way, remote, text: `${text}, after ${seconds(ms)}`, signal });
    }
    if (!isLoopbackHost(hostname)) way.pings = lostPings(hostname, { config: way.config, signal });
    return await deadAddress({ way, remote, text, signal }, askRoute) ?? ok(text);
  } catch (error) {
    signal.throwIfAborted();
    const found = await notConnected(error, way, signal);
    const lost = { address: addressOf(way), port: firstHop(way).port, uid: Deno.uid() ?? 0 };
    return { ...found, lost, kind: isTimeout(error) ? "no_answer" : undefined };
  }
}

/** Says of a slow connection whether others to the same address are slow, too. */
async function slowConnection({ way, remote, text, signal }: Connected): Promise<CheckResult> {
  const { hostname, port } = remote;
  const slow = await slowConnections(hostname, { port, signal });
  // One slow connection may be due to this machine alone, which was busy.
  if (slow === 0) return ok(text);
  const counted = `${text}; of ${FURTHER_CONNECTIONS} further ones ${slow} took as long`;
  if (slow < FURTHER_CONNECTIONS) {
    const found = warning(`${counted}: packets are lost on the way`, lossAdvice(hostname));
    return { ...found, kind: "packets_lost" };
  }
  const lost = `see whether packets are lost on the way: ping -c 20 ${hostname}`;
  const proxy = `see whether the proxy is slow: curl -v -x ${hostname}:${port} ${way.url.origin}`;
  const panel =
    "see on the panel's machine whether it takes connections late: ss -ltn; nstat -az " +
    "TcpExtListenOverflows";
  return warning(counted, ...way.proxy === undefined ? [lost, panel] : [proxy, lost]);
}

/** A finding if another address of the name than the one that has connected can't be connected to. */
async function deadAddress(
  { way, remote, text, signal }: Connected,
  askRoute: AskRoute,
): Promise<CheckResult | undefined> {
  const { hostname, port } = remote;
  if (!way.addresses.includes(hostname)) return undefined;
  const others = way.addresses.filter((address) => address !== hostname).slice(0, MAX_OTHERS);
  const tried = await Promise.all(others.map(async (address) => {
    const error = await connectError(address, { port, timeoutMs: OTHER_CONNECT_MS, signal });
    if (error === undefined) return [];
    const reason = isTimeout(error) ? error.message : connectErrorMessage(error);
    // Usual where this machine has one family alone, and costs nothing.
    const isUsual = /network is unreachable|no address of that family/.test(reason);
    return isUsual ? [] : { address, reason };
  }));
  const [dead] = tried.flat();
  if (dead === undefined) return undefined;
  const { address, reason } = dead;
  const which = address === way.addresses[0]
    ? "which is tried first"
    : "another address of the name";
  const said = `${text}; ${address}, ${which}, does not connect: ${reason}`;
  const { preferFamily } = way.config;
  if (preferFamily === ipFamily(hostname) && preferFamily !== ipFamily(address)) return ok(said);
  const isRefused = /refused/.test(reason);
  const ofWay = isRefused ? undefined : routeFinding(address, { askRoute });
  if (ofWay !== undefined) {
    const prefer = preferOther(address, hostname, way);
    const old = oldAddressAdvice(address, way);
    return warning(`${said}; ${ofWay.text}`, ...ofWay.advice, prefer, old);
  }
  // An answer shows that the family works here, too.
  const isPinged = !isRefused && ipFamily(address) !== ipFamily(hostname) &&
    await answersPing(address, { config: way.config, signal }) === true;
  return warning(
    isPinged ? `${said}; it answers pings` : said,
    ...deadAddressAdvice(address, { way, reason, hostname, port, isPinged }),
  );
}

/** Advice about an address of a name that does not connect, where another one, `hostname`, does. */
export function deadAddressAdvice(
  dead: string,
  { way, reason, hostname, port, isPinged = false }: {
    way: Way;
    reason: string;
    hostname: string;
    port: number;
    isPinged?: boolean;
  },
): string[] {
  const family = ipFamily(dead);
  const old = oldAddressAdvice(dead, way);
  const prefer = preferOther(dead, hostname, way);
  if (prefer === undefined) return [`see whether it answers at all: ping -c 3 ${dead}`, old];
  const far = FAR_ADDRESSES[family ?? 4];
  const server =
    `have the panel's server listen on port ${port} of ${dead}, too (nginx: listen [::]:${port})`;
  const own =
    `see whether this machine's own IPv${family} gets anywhere, and if not, ask its provider: ping -c 3 ` +
    far;
  return [
    /refused/.test(reason)
      ? server
      : isPinged
      ? `see on the panel's machine whether its firewall lets port ${port} pass`
      : own,
    prefer,
    old,
  ];
}
