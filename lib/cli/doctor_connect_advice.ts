/**
 * Advice of `doctor` on a panel, or a proxy, that can't be connected to.
 *
 * @module
 */

import { isInContainer, isInContainerImage } from "../host/this_program.ts";
import { addressScope, isLoopbackHost } from "../parse/ip_address.ts";
import { urlHost } from "../parse/probe_target.ts";
import { advised } from "./checks.ts";
import { proxyVariableNames } from "./doctor_advice.ts";
import type { RouteFinding } from "./doctor_route.ts";
import { restart } from "./doctor_unit_settings.ts";
import { endpointPlace, losesTls, withoutProxy, writeOr } from "./doctor_options.ts";
import { addressOf, firstHop, originLook, OWN_FIREWALL, portOf, type Way } from "./doctor_way.ts";
import { unitAdvice } from "./doctor_unit_network.ts";

/** Advice for a port of the panel at which nothing listens: to look there, or to correct the port. */
function whereNoneListens(way: Way): { look: string; correct: string } {
  const port = portOf(way.url);
  return {
    look:
      `see on the panel's machine whether it listens on port ${port}, and not at 127.0.0.1 alone: ss -ltn`,
    correct: `correct the port in ${endpointPlace(way)}, if it is another one than ${port}`,
  };
}

/** The lines of {@linkcode connectAdvice} that an agent rules out which is connected to the same port. */
export function notWhileConnected(way: Way): string[] {
  return Object.values(whereNoneListens(way));
}

/** Other ports of the panel's host. */
export interface OtherPorts {
  /** Addresses there that take connections. */
  readonly open?: readonly string[];
  /** The one of them at which a panel answers. */
  readonly panel?: string | undefined;
}

/** Advice for when no connection can be opened; one line where only one cause is left. */
export function connectAdvice(
  message: string,
  way: Way,
  { isContained = isInContainer(), finding, isPinged, panel }: OtherPorts & {
    /** Whether this process is in a container. */
    isContained?: boolean;
    finding?: RouteFinding | undefined;
    /** Whether it answers pings; `undefined` where that is not known. */
    isPinged?: boolean | undefined;
  } = {},
): string[] {
  const { proxy, answeredBy } = way;
  const address = addressOf(way);
  const isRefused = /refused/.test(message);
  const ofUnit = unitAdvice(way);
  if (ofUnit !== undefined && !isRefused) return [ofUnit];
  const withPanel = (lines: readonly string[]) =>
    panel === undefined ? [...lines] : writeOr(panel, way, lines);
  if (finding !== undefined) {
    // An address at which a panel answers is not doubted.
    const doubts = panel === undefined ? [] : originLook(way);
    return withPanel(finding.advice.filter((line) => !doubts.includes(line)));
  }
  if (/no address of that family/.test(message)) {
    return [
      "see whether an address here may be used, and is not tentative, dadfailed or deprecated: ip addr",
    ];
  }
  if (/no free port/.test(message)) {
    return [
      "see which program has so many connections: ss -Hantp",
      "let this machine have more: sysctl -w net.ipv4.ip_local_port_range='10240 65535'; sysctl " +
      "net.ipv4.ip_local_reserved_ports shows which of them are kept",
    ];
  }
  if (proxy !== undefined) return unreachedProxyAdvice(way);
  if (isLoopbackHost(address)) return withPanel(loopbackAdvice(way, isContained));
  const scope = addressScope(address);
  const isFar = scope === "private" || /^100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(address);
  const look = advised(
    isFar && !isRefused &&
      `${address} is reached within its own network or VPN alone: see whether this machine is in it, and give ` +
        `the panel's public address if not: ip addr`,
    ...originLook(way),
  );
  // Where a name server contradicts that file, a doubt says so before all this.
  const isInHosts = answeredBy.includes("/etc/hosts");
  const ofHosts = isInHosts && way.doubts.length === 0 ? look : [];
  const ofName = isInHosts ? [] : look;
  if (/does not let it through|prohibited/.test(message)) {
    return [
      "see what forbids it here: nft list ruleset || iptables-save; journalctl -k | grep -i denied (SELinux, " +
      "AppArmor)",
    ];
  }
  if (isRefused) {
    const { look, correct } = whereNoneListens(way);
    const firewall =
      "see whether a firewall, here or there, answers in its place: nft list ruleset || iptables-save";
    return panel === undefined
      ? [...ofHosts, look, correct, ...ofName, firewall]
      : withPanel([look, firewall]);
  }
  if (/network is unreachable/.test(message)) {
    return [
      ...ofHosts,
      `see whether this machine has a route to it: ip route get ${address}; if it has, a router on the ` +
      "way has none",
      OWN_FIREWALL,
      ...ofName,
    ];
  }
  if (isPinged === true) {
    const { ofPort, fromElsewhere, onTheWay } = whereDropped(way);
    if (panel !== undefined && !losesTls(panel, way)) return withPanel([ofPort]);
    // Something answers at its address, so the name is the last to be doubted.
    const last = panel === undefined ? [...ofName, onTheWay] : [];
    return withPanel([...ofHosts, OWN_FIREWALL, ofPort, fromElsewhere, ...last]);
  }
  return silentAdvice(message, way, { isPinged, isFar, ofHosts, ofName });
}

/** Advice for a machine that is not seen to answer anything. */
function silentAdvice(
  message: string,
  way: Way,
  { isPinged, isFar, ofHosts, ofName }: {
    isPinged: false | undefined;
    /** Whether it is reached within its own network alone. */
    isFar: boolean;
    ofHosts: readonly string[];
    ofName: readonly string[];
  },
): string[] {
  const address = addressOf(way);
  const { port } = firstHop(way);
  const isBanned = isPinged === false && !isFar && !/host is unreachable/.test(message);
  return advised(
    ...ofHosts,
    isBanned &&
      [whereDropped(way).fromElsewhere, `if not, it is down, or not at ${address}`].join("; "),
    isPinged === undefined && `see whether that machine is up: ping -c 3 ${address}`,
    ...ofName,
    /host is unreachable/.test(message)
      ? `see who says so: ping -c 3 ${address}; by "Destination Host Unreachable" a router before it means ` +
        `that the machine is down, or not there, and by "filtered" or "prohibited" a firewall refuses`
      : `see how far packets get: traceroute -n ${address}; if not beyond this machine's gateway, ` +
        "the line of its provider is broken",
    OWN_FIREWALL,
    isPinged === false
      ? !isBanned &&
        `see on the panel's machine whether it is up, and its firewall lets port ${port} pass`
      : `see on the panel's machine whether its firewall lets port ${port} pass`,
  );
}

/** Advice for a proxy that is not reached. */
function unreachedProxyAdvice(way: Way): string[] {
  const { host, port } = firstHop(way);
  const names = proxyVariableNames(way);
  return [
    `see whether the proxy listens: nc -vz ${host} ${port}`,
    names.includes("(")
      ? `correct ${names}, which names it, and then: ${restart(way.config.serviceName)}`
      : `correct ${names}, which names it`,
    `or reach the panel without it: ${withoutProxy(way)}`,
  ];
}

/** Looks for what drops the packets for one port of a machine that is up. */
function whereDropped(way: Way): { ofPort: string; fromElsewhere: string; onTheWay: string } {
  const { port } = firstHop(way);
  return {
    ofPort:
      `see on the panel's machine whether its firewall, or its provider's (security group), drops port ${port}, ` +
      "or this machine's address alone, as fail2ban does: nft list ruleset || iptables-save; fail2ban-client " +
      "status",
    fromElsewhere:
      `see from another machine, or in your browser, whether it answers: curl -m 10 -I ${way.url.origin}; if ` +
      "it does, that server, its provider, or something on the way drops what this machine sends (fail2ban, " +
      "ufw deny, security group)",
    onTheWay:
      `see whether a firewall on the way refuses port ${port}, as a provider's: traceroute -n -T -p ` +
      `${port} ${addressOf(way)}`,
  };
}

/** The panel's address is this machine's own, and nothing listens there. */
function loopbackAdvice(way: Way, isContained: boolean): string[] {
  const { url, answeredBy } = way;
  const [host, port] = [urlHost(url), portOf(url)];
  const container = isContained &&
    "within a container this address is the container itself: give the panel's name or " +
      "address, or start the container with --network host";
  if (isInContainerImage()) return advised(container);
  const here = `if the panel is on this machine, start it: ss -ltn shows what listens`;
  if (answeredBy.includes("/etc/hosts") && host !== "localhost") {
    const remove = `if the panel is on another machine, remove ${host} from /etc/hosts`;
    return advised(remove, container, here);
  }
  const isOwnName = answeredBy === "" || host === "localhost";
  const far = isOwnName && !isContained &&
    `${host} is this machine itself: if the panel is on another one, write the address by which browsers ` +
      `reach it into ${endpointPlace(way)}`;
  const otherPort = `if it listens on another port than ${port}, correct ${endpointPlace(way)}`;
  // What a name server says of a name that is not this machine's own may be a filter's answer.
  const elsewhere = answeredBy !== "" && host !== "localhost" &&
    `if the panel is on another machine, its name server is wrong about ${host}, or ` +
      `filters it (${answeredBy})`;
  return advised(elsewhere, container, here, far, otherPort);
}
