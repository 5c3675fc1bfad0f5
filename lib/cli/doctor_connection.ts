/**
 * The check of `doctor` of the connection to a panel, or to the proxy on the way.
 *
 * @module
 */

import { isTimeout, withTimeout } from "../async/timeout.ts";
import { attempt } from "../attempt.ts";
import { connectErrorMessage } from "../net/error_messages.ts";
import { DialError } from "../net/errors.ts";
import { connectAbortable } from "../net/happy_eyeballs.ts";
import { FAR_ADDRESSES } from "../host/routes.ts";
import { ipFamily, isLoopbackHost } from "../parse/ip_address.ts";
import { type CheckResult, failed, ok, warning } from "./checks.ts";
import { refusingProxyAdvice } from "./doctor_advice.ts";
import { connectAdvice } from "./doctor_connect_advice.ts";
import {
  answersPing,
  FURTHER_CONNECTIONS,
  kernelCount,
  lostPings,
  SLOW_CONNECT_MS,
  slowConnections,
} from "./doctor_loss.ts";
import { CONNECT_MS } from "./doctor_network.ts";
import {
  detourOf,
  filterFinding,
  kernelRoutes,
  type RouteFinding,
  routeFinding,
} from "./doctor_route.ts";
import { sourceFinding } from "./doctor_source.ts";
import {
  failureText,
  firstHop,
  given,
  oldAddressAdvice,
  originLook,
  originText,
  seconds,
  usualAddresses,
  type Way,
} from "./doctor_way.ts";

/** For the other addresses of a name, so many of them. */
const OTHER_CONNECT_MS = 2_000;
const MAX_OTHERS = 4;
/** Packets that the kernel has dropped since answers to them would go by another interface. */
const DROPPED_BY_FILTER = "IPReversePathFilter";

/** Opens a connection to the panel, or through its proxy. */
export async function checkConnection(way: Way, signal: AbortSignal): Promise<CheckResult> {
  const { url, proxy, dialer } = way;
  const startedAtMs = performance.now();
  try {
    const connect = (signal: AbortSignal) => dialer.connect(url, { signal });
    const { connection } = await withTimeout(connect, { timeoutMs: CONNECT_MS, signal });
    const { hostname, port } = connection.remoteAddr;
    connection.close();
    const connected = proxy === undefined
      ? `connected to ${hostname} port ${port}`
      : `connected through the proxy ${hostname} port ${port}`;
    const text = way.answeredBy === "" ? connected : `${connected} (${way.answeredBy})`;
    const ms = performance.now() - startedAtMs;
    if (ms >= SLOW_CONNECT_MS) {
      return await slowConnection(`${text}, after ${seconds(ms)}`, { way, hostname, port, signal });
    }
    if (!isLoopbackHost(hostname)) way.pings = lostPings(hostname, { config: way.config, signal });
    return await deadAddress(way, { hostname, port, signal, text }) ?? ok(text);
  } catch (error) {
    signal.throwIfAborted();
    return await notConnected(error, way, signal);
  }
}

/** Says of a slow connection whether others to the same address are slow, too. */
async function slowConnection(
  text: string,
  { way, hostname, port, signal }: {
    way: Way;
    hostname: string;
    port: number;
    signal: AbortSignal;
  },
): Promise<CheckResult> {
  const slow = await slowConnections(hostname, { port, signal });
  // Once is no finding: this machine may have been busy.
  if (slow === 0) return ok(text);
  const counted = `${text}; of ${FURTHER_CONNECTIONS} further ones ${slow} took as long`;
  const ping = `ping -c 20 ${hostname}`;
  if (slow > 0 && slow < FURTHER_CONNECTIONS) {
    const advice = `see where packets are lost, which are sent again after 1 s and 3 s: ${ping}`;
    return {
      ...warning(`${counted}: packets are lost on the way`, advice),
      kind: "packets_lost",
    };
  }
  const lost = `see whether packets are lost on the way: ${ping}`;
  return way.proxy === undefined
    ? warning(
      counted,
      lost,
      "see on the panel's machine whether it takes connections late: ss -ltn; nstat -az " +
        "TcpExtListenOverflows",
    )
    : warning(
      counted,
      `see whether the proxy is slow: curl -v -x ${hostname}:${port} ` +
        way.url.origin,
      lost,
    );
}

/** A finding if another address of the name than the one that has connected can't be connected to. */
async function deadAddress(
  way: Way,
  { hostname, port, signal, text }: {
    hostname: string;
    port: number;
    signal: AbortSignal;
    text: string;
  },
): Promise<CheckResult | undefined> {
  if (!way.addresses.includes(hostname)) return undefined;
  const others = way.addresses.filter((address) => address !== hostname).slice(0, MAX_OTHERS);
  const reasons = await Promise.all(others.map(async (address) => {
    try {
      const connect = (signal: AbortSignal) => connectAbortable(address, { port, signal });
      (await withTimeout(connect, { timeoutMs: OTHER_CONNECT_MS, signal })).close();
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      const reason = isTimeout(error) ? error.message : connectErrorMessage(error);
      // Usual where this machine has one family alone, and costs nothing.
      return /network is unreachable|no address of that family/.test(reason) ? undefined : reason;
    }
  }));
  const at = reasons.findIndex((reason) => reason !== undefined);
  const dead = others[at];
  if (dead === undefined) return undefined;
  const which = dead === way.addresses[0] ? "which is tried first" : "another address of the name";
  const reason = reasons[at] ?? "";
  // An answer shows that the family works here, too.
  const isPinged = ipFamily(dead) !== ipFamily(hostname) && !/refused/.test(reason) &&
    await answersPing(dead, { config: way.config, signal }) === true;
  const said = `${text}; ${dead}, ${which}, does not connect: ${reason}`;
  return warning(
    isPinged ? `${said}; it answers pings` : said,
    ...deadAddressAdvice(dead, { way, reason, hostname, port, isPinged }),
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
  const [family, other] = [dead, hostname].map((it) => ipFamily(it));
  const old = oldAddressAdvice(dead);
  if (family === other) return [`see whether it answers at all: ping -c 3 ${dead}`, old];
  const far = FAR_ADDRESSES[family === 6 ? 1 : 0];
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
    `until it is repaired, try the other first: ${given(way, `--prefer-ip-version ${other}`)}`,
    old,
  ];
}

async function notConnected(
  error: unknown,
  way: Way,
  signal: AbortSignal,
): Promise<CheckResult> {
  const { proxy, answeredBy } = way;
  const message = withPorts(failureText(error), way);
  const stage = error instanceof DialError ? error.stage : "connect";
  if (stage === "proxy") return failed(message, ...refusingProxyAdvice(message, way));
  const { host, port } = firstHop(way);
  const subject = proxy === undefined ? host : `the proxy ${host}`;
  const text = isTimeout(error)
    ? `Cannot connect to ${subject}${originText(way)} port ${port}: ${message}`
    : answeredBy === ""
    ? message
    : `${message} (${answeredBy})`;
  if (/refused/.test(message)) {
    const open = proxy === undefined ? await openUrls(way, signal) : [];
    const said = open.length === 0 ? text : `${text}; it connects for ${open.join(", ")}`;
    return failed(said, ...connectAdvice(text, way, { open }));
  }
  const finding = firstStep(way) ?? fullTable();
  if (finding !== undefined) {
    return failed(`${text}; ${finding.text}`, ...connectAdvice(text, way, { finding }));
  }
  const address = way.addresses[0] ?? host;
  const filtered = kernelCount(DROPPED_BY_FILTER);
  const [isPinged, ofSource] = isTimeout(error) || /host is unreachable/.test(message)
    ? await Promise.all([
      answersPing(address, { config: way.config, signal }),
      sourceFinding(address, { port, signal }),
    ])
    : [];
  const ofAnswers = ofSource ??
    (isPinged === false
      ? filterFinding(address, kernelCount(DROPPED_BY_FILTER) - filtered)
      : undefined);
  if (ofAnswers !== undefined) {
    const advice = connectAdvice(text, way, { finding: ofAnswers });
    return failed(`${text}; ${ofAnswers.text}`, ...advice);
  }
  const pinged = isPinged === undefined
    ? text
    : isPinged
    ? `${text}; it answers pings`
    : `${text}; nor does it answer pings`;
  const advice = connectAdvice(text, way, { isPinged });
  const detour = isPinged === true || !isTimeout(error) ? undefined : detourOf(address);
  return detour === undefined
    ? failed(pinged, ...advice)
    : failed(`${pinged}; ${detour.text}`, ...detour.advice, ...advice);
}

/** The usual addresses on the panel's host, other than the configured one, that can be connected to. */
async function openUrls(way: Way, signal: AbortSignal): Promise<string[]> {
  const hostname = way.addresses[0] ?? firstHop(way).host;
  const urls = await Promise.all(
    usualAddresses(way).map(async ({ address, port }) => {
      try {
        const connect = (signal: AbortSignal) => connectAbortable(hostname, { port, signal });
        (await withTimeout(connect, { timeoutMs: SLOW_CONNECT_MS, signal })).close();
        return address;
      } catch {
        signal.throwIfAborted();
        return [];
      }
    }),
  );
  return urls.flat();
}

/** The message of an error, which says that no port is free where the missing address is there. */
function withPorts(message: string, way: Way): string {
  const route = kernelRoutes()(way.addresses[0] ?? firstHop(way).host);
  // Without a usable address the kernel has none to send from.
  if (route === undefined || !("source" in route) || (route.source ?? "::") === "::") {
    return message;
  }
  const path = "/proc/sys/net/ipv4/ip_local_port_range";
  const [from = "", to = ""] = attempt(() => Deno.readTextFileSync(path))?.trim().split(/\s+/) ??
    [];
  return message.replace(
    /this machine has no address of that family, or no free port/,
    `this machine has no free port for it, of ${from} to ${to}`,
  );
}

/** The kernel's table of connections, if it is full: new ones are dropped then. */
export function fullTable(): RouteFinding | undefined {
  const read = (name: string) =>
    Number(attempt(() => Deno.readTextFileSync(`/proc/sys/net/netfilter/nf_conntrack_${name}`)));
  const [count, max] = [read("count"), read("max")];
  if (!(max > 0) || count < max) return undefined;
  return {
    text: `the kernel's table of connections is full (${count} of ${max})`,
    advice: [
      `have it keep more: sysctl -w net.netfilter.nf_conntrack_max=${2 * max}`,
      "see which: conntrack -S",
    ],
  };
}

/** Why no packet gets to any of the addresses, by the kernel; `undefined` where it sees nothing of one. */
function firstStep(way: Way): RouteFinding | undefined {
  const { addresses } = way;
  const askRoute = kernelRoutes();
  const all = (addresses.length > 0 ? addresses : [firstHop(way).host]).map((address) => {
    const [isPanels] = originLook(way, address);
    return routeFinding(address, { askRoute, isPanels });
  });
  const found = all.filter((it) => it !== undefined);
  if (found.length < all.length) return undefined;
  return {
    text: [...new Set(found.map(({ text }) => text))].join("; "),
    advice: [...new Set(found.flatMap(({ advice }) => advice))],
  };
}
