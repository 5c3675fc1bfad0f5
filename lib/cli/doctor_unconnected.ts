/**
 * Why nothing connects to a panel, or to the proxy on the way, for `doctor`: what else is seen of the
 * way there.
 *
 * @module
 */

import { isTimeout } from "../async/timeout.ts";
import { attempt } from "../attempt.ts";
import { DialError } from "../net/errors.ts";
import { urlHost } from "../parse/probe_target.ts";
import { type CheckResult, failed } from "./checks.ts";
import { refusingProxyAdvice } from "./doctor_advice.ts";
import { connectAdvice, notWhileConnected, type OtherPorts } from "./doctor_connect_advice.ts";
import { panelAmong, PanelCalls } from "./doctor_panel_calls.ts";
import { firewallFinding, refusedThere } from "./doctor_prohibited.ts";
import { familyFinding } from "./doctor_family.ts";
import { answersPing, connectError, kernelCount, SLOW_CONNECT_MS } from "./doctor_loss.ts";
import {
  detourOf,
  filterFinding,
  kernelRoutes,
  type RouteFinding,
  routeFinding,
} from "./doctor_route.ts";
import { sourceFinding } from "./doctor_source.ts";
import {
  addressesOf,
  addressOf,
  failureText,
  firstHop,
  hopText,
  originLook,
  originText,
  usualAddresses,
  type Way,
} from "./doctor_way.ts";
import { isFakeIp, isForged, withForged } from "./doctor_addresses.ts";

/** Packets that the kernel has dropped since answers to them would go by another interface. */
const DROPPED_BY_FILTER = "IPReversePathFilter";

/** Says why a connection was not opened, and what to do. */
export async function notConnected(
  error: unknown,
  way: Way,
  signal: AbortSignal,
): Promise<CheckResult> {
  const { proxy, answeredBy } = way;
  const message = withPorts(failureText(error), way);
  const stage = error instanceof DialError ? error.stage : "connect";
  if (stage === "proxy") return failed(message, ...refusingProxyAdvice(message, way));
  const { host, port } = firstHop(way);
  const text = isTimeout(error)
    ? `Cannot connect to ${hopText(way)}${originText(way)} port ${port}: ${message}`
    : answeredBy === ""
    ? message
    : `${message} (${answeredBy})`;
  const address = addressOf(way);
  if (proxy !== undefined && isTimeout(error) && await opens(address, port, signal)) {
    return failed(
      `the proxy ${host}${
        originText(way)
      } port ${port} takes connections, and does not open one to ` +
        `${urlHost(way.url)}: ${message}`,
      ...refusingProxyAdvice(message, way),
    );
  }
  if (isFakeIp(way) && way.doubts.length > 0) {
    // The doubts name that proxy, which is the only cause then.
    return failed(
      `${text}; ${address} is not the panel's, but a placeholder (fake-ip) of a proxy such as Clash, which does ` +
        "not take the connection",
    );
  }
  if (isForged(way) && way.doubts.length > 0) return failed(withForged(text, way));
  const because = async (finding: RouteFinding) => {
    const others = finding.isOne === false ? await openUrls(way, signal) : {};
    const said = withOpen(`${text}; ${finding.text}`, others);
    return failed(said, ...connectAdvice(text, way, { finding, ...others }));
  };
  const isRefused = /refused/.test(message);
  const isTold = isRefused || /unreachable|prohibited|does not let it/.test(message);
  const firewall = isTold ? await firewallFinding(way, signal) : undefined;
  if (isRefused) {
    const others = firewall === undefined ? await openUrls(way, signal) : {};
    const found = firewall === undefined
      ? failed(withOpen(text, others), ...connectAdvice(text, way, others))
      : await because(firewall);
    return { ...found, ruledOutByReports: notWhileConnected(way) };
  }
  const isCertain = firewall?.isOne !== false || /prohibited/.test(message);
  const finding = kernelFinding(way) ?? (isCertain ? firewall : undefined);
  if (finding !== undefined) return await because(finding);
  const isSilent = isTimeout(error) || /host is unreachable/.test(message);
  const { isPinged, finding: ofAnswers } = isSilent ? await answersOf(way, error, signal) : {};
  if (ofAnswers !== undefined) return await because(ofAnswers);
  const pinged = isPinged === undefined
    ? text
    : isPinged
    ? `${text}; it answers pings`
    : `${text}; nor does it answer pings`;
  // A machine that answers pings may take connections at another port.
  const others = isPinged === true && isTimeout(error) ? await openUrls(way, signal) : {};
  const advice = connectAdvice(text, way, { isPinged, ...others });
  const detour = isPinged === true || !isTimeout(error) ? undefined : detourOf(address);
  return detour === undefined
    ? failed(withOpen(pinged, others), ...advice)
    : failed(`${pinged}; ${detour.text}`, ...detour.advice, ...advice);
}

/** Whether a machine that takes no connection answers pings, or another address of this one, and why. */
async function answersOf(
  way: Way,
  error: unknown,
  signal: AbortSignal,
): Promise<{ isPinged: boolean | undefined; finding: RouteFinding | undefined }> {
  const address = addressOf(way);
  const before = kernelCount(DROPPED_BY_FILTER);
  const [isPinged, ofSource] = await Promise.all([
    answersPing(address, { config: way.config, signal }),
    sourceFinding(address, { port: firstHop(way).port, signal }),
  ]);
  const ofPings = isPinged === false
    ? filterFinding(address, kernelCount(DROPPED_BY_FILTER) - before)
    : isPinged && !isTimeout(error)
    ? refusedThere(way)
    : undefined;
  return { isPinged, finding: ofSource ?? ofPings };
}

async function opens(address: string, port: number, signal: AbortSignal): Promise<boolean> {
  const options = { port, timeoutMs: SLOW_CONNECT_MS, signal };
  return await connectError(address, options) === undefined;
}

function withOpen(text: string, { open = [], panel }: OtherPorts): string {
  if (panel !== undefined) return `${text}; a Komari panel answers at ${panel}`;
  return open.length === 0 ? text : `${text}; it connects for ${open.join(", ")}`;
}

/** The usual addresses on the panel's host, other than the configured one, that take connections. */
async function openUrls(way: Way, signal: AbortSignal): Promise<OtherPorts> {
  if (way.proxy !== undefined) return {};
  const hostname = addressOf(way);
  const urls = await Promise.all(
    usualAddresses(way).map(async ({ address, port }) =>
      await opens(hostname, port, signal) ? address : []
    ),
  );
  const open = urls.flat();
  return { open, panel: await panelAmong(open, { calls: new PanelCalls(way), signal }) };
}

/** The message of an error, which says that no port is free where the missing address is there. */
function withPorts(message: string, way: Way): string {
  const route = kernelRoutes()(addressOf(way));
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

/** Why packets can't get to the first hop, by what the kernel knows of this machine. */
function kernelFinding(way: Way): RouteFinding | undefined {
  return familyFinding(way, kernelRoutes()) ?? firstStep(way) ?? fullTable();
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
  const askRoute = kernelRoutes();
  const all = addressesOf(way).map((address) => {
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
