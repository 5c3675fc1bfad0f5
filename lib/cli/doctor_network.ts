/**
 * The check of `doctor` of interfaces and routes.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { attemptWithin } from "../async/timeout.ts";
import { FAR_ADDRESSES } from "../host/routes.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { addressScope, ipFamily, isLoopbackHost } from "../parse/ip_address.ts";
import { lastSetting, settingText } from "../service/loaded_unit.ts";
import { type CheckResult, failed, ok, skipped, warning } from "./checks.ts";
import { networkLogCommand } from "./doctor_commands.ts";
import { unusableStates } from "./doctor_family.ts";
import { type AskRoute, kernelRoutes, missingRouteAdvice, refused } from "./doctor_route.ts";
import { restart } from "./doctor_unit_settings.ts";
import { failureText, firstHop, type Way } from "./doctor_way.ts";
import { unitAdvice } from "./doctor_unit_network.ts";

/** Longer than a connection takes that is going to be opened. */
export const CONNECT_MS = 5_000;

/** An interface other than the loopback, with the addresses that reach beyond its cable. */
interface InterfaceFacts {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly isUp: boolean;
  readonly hasCarrier: boolean;
}

/** The interfaces of this process's network; `undefined` where nothing tells. */
function readInterfaces(): InterfaceFacts[] | undefined {
  // Every machine has at least those of the loopback.
  const listed = attempt(() => Deno.networkInterfaces());
  const addresses = listed?.length === 0 ? undefined : listed;
  const names =
    attempt(() => Deno.readTextFileSync("/proc/net/dev"))?.split("\n").flatMap((line) =>
      /^\s*([^:\s]+):/.exec(line)?.[1] ?? []
    ) ?? addresses?.map(({ name }) => name);
  if (addresses === undefined && names?.some((name) => !/^lo\d*$/.test(name))) return undefined;
  return names && [...new Set(names)].filter((name) => !/^lo\d*$/.test(name)).map((name) => {
    const read = (file: string) =>
      attempt(() => Deno.readTextFileSync(`/sys/class/net/${name}/${file}`).trim());
    return {
      name,
      addresses: (addresses ?? []).filter((it) => it.name === name).map(({ address }) => address)
        .filter((address) => addressScope(address) !== "link-local"),
      isUp: (Number(read("flags") ?? 1) & 1) === 1,
      hasCarrier: read("carrier") !== "0",
    };
  });
}

/** The default routes, in words, with the device of one of IPv6 alone. */
interface DefaultRoutes {
  /** Empty without one. */
  readonly text: string;
  readonly ofIpv6?: string;
}

/** The default routes; `undefined` where the kernel does not tell. */
function defaultRoutes(askRoute: AskRoute): DefaultRoutes | undefined {
  const [ipv4, ipv6] = [FAR_ADDRESSES[4], FAR_ADDRESSES[6]].map(askRoute);
  if (ipv4 === undefined && ipv6 === undefined) return undefined;
  const deviceOf = (route: ReturnType<AskRoute>) =>
    route !== undefined && "device" in route && route.device !== "lo" ? [route.device] : [];
  const devices = [...new Set([ipv4, ipv6].flatMap(deviceOf))].join(", ");
  if (devices === "") return { text: "" };
  return deviceOf(ipv4).length > 0
    ? { text: `default route by ${devices}` }
    : { text: `default route by ${devices}, of IPv6 alone`, ofIpv6: devices };
}

/** Link, address and route: whether this machine can send anything beyond itself. */
export async function checkNetwork(way: Way, signal: AbortSignal): Promise<CheckResult> {
  const { host } = firstHop(way);
  const family = familyError();
  if (family !== undefined) {
    return failed(
      `this process gets no socket of the network: ${family}`,
      unitAdvice(way, ["RestrictAddressFamilies"]),
    );
  }
  const all = readInterfaces();
  const own = unitAdvice(way, ["PrivateNetwork", "NetworkNamespacePath"]);
  if (all?.length === 0 && (own !== undefined || !isLoopbackHost(host))) {
    const advice = isInContainerImage()
      ? ["start the container with a network: without --network none"]
      : [
        "if this is a container, start it with a network: without --network none",
        "see which interfaces the kernel has: ip link",
      ];
    const text = "there is no network interface but the loopback";
    return failed(text, ...own === undefined ? advice : [own]);
  }
  // Panels, proxies and name servers on this machine are reached by it.
  if (isLoopbackDown() && !await isConnectable(way, signal)) {
    return failed("the loopback lo is down", "switch lo on: ip link set lo up");
  }
  if (isLoopbackHost(host)) return ok(`not needed: ${host} is this machine`);
  if (all === undefined) return unlistedAddresses(way);
  const withAddress = all.filter(({ isUp, addresses }) => isUp && addresses.length > 0);
  if (withAddress.length === 0) return noAddress(all);
  const stateOf = unusableStates();
  const shown = withAddress.map(({ name, addresses }) => {
    const usable = addresses.find((it) => stateOf(it) === undefined) ?? addresses[0] ?? "";
    const state = stateOf(usable);
    return state === undefined ? `${name} ${usable}` : `${name} ${usable} (${state})`;
  }).join(", ");
  const askRoute = kernelRoutes();
  const routes = defaultRoutes(askRoute);
  if (routes === undefined) return ok(shown);
  const { text: ofRoutes, ofIpv6 } = routes;
  if (ofRoutes !== "") {
    const said = `${shown}; ${ofRoutes}`;
    const hasIpv4 = withAddress.some(({ name, addresses }) =>
      name === ofIpv6 && addresses.some((it) => ipFamily(it) === 4)
    );
    // An address for the network of the provider alone needs no route.
    if (!hasIpv4 || await isConnectable(way, signal)) return ok(said);
    const text = `${said}, though ${ofIpv6} has an IPv4 address`;
    const found = warning(text, ...missingRouteAdvice(FAR_ADDRESSES[4]));
    return { ...found, kind: "no_ipv4_route" };
  }
  const text = `${shown}; there is no default route`;
  // A panel in the same network, or on this machine, needs none.
  const toHost = ipFamily(host) === undefined ? undefined : askRoute(host);
  if (toHost !== undefined && "device" in toHost || await isConnectable(way, signal)) {
    return ok(text);
  }
  const unreached = `${text}, and ${host} can't be reached`;
  const far = FAR_ADDRESSES[ipFamily(host) ?? 4];
  const route = askRoute(far);
  if (route !== undefined && "kind" in route && route.kind !== "none") {
    const { text, advice } = refused(far, route);
    return failed(`${unreached}: ${text}`, ...advice);
  }
  return failed(unreached, ...missingRouteAdvice(far));
}

function isLoopbackDown(): boolean {
  const flags = attempt(() => Deno.readTextFileSync("/sys/class/net/lo/flags"));
  return flags !== undefined && (Number(flags) & 1) === 0;
}

/** The kernel tells this process no addresses, as where its unit leaves out AF_NETLINK. */
function unlistedAddresses({ unit, config }: Way): CheckResult {
  const setting = lastSetting(unit, "RestrictAddressFamilies");
  if (setting === undefined || /^~|AF_NETLINK/.test(setting.value)) {
    return skipped("this system does not tell its interfaces");
  }
  return warning(
    "this process may not ask for the addresses of interfaces",
    `add AF_NETLINK to ${settingText(setting)}, and then: ${restart(config.serviceName)}`,
  );
}

/** Why this process may open no socket of IPv4; `undefined` if it may. */
function familyError(): string | undefined {
  try {
    Deno.listen({ hostname: "127.0.0.1", port: 0 }).close();
    return undefined;
  } catch (error) {
    const text = failureText(error);
    return /family not supported/i.test(text) ? text : undefined;
  }
}

/** No interface is up and has an address: each says in which state it is. */
function noAddress(all: readonly InterfaceFacts[]): CheckResult {
  const states = all.map(({ name, isUp, hasCarrier }) => {
    if (!isUp) return [`${name} is down`, `switch ${name} on: ip link set ${name} up`] as const;
    if (!hasCarrier) {
      const advice = `${name}: check its cable, its Wi-Fi, or the network of the virtual machine`;
      return [`${name} has no carrier`, advice] as const;
    }
    const advice = `${name}: see why it gets no address: ${networkLogCommand()}`;
    return [`${name} has no address`, advice] as const;
  });
  const text = `no interface has an address: ${states.map(([state]) => state).join(", ")}`;
  return failed(text, ...states.map(([, advice]) => advice));
}

async function isConnectable({ dialer, url }: Way, signal: AbortSignal): Promise<boolean> {
  const connect = (signal: AbortSignal) => dialer.connect(url, { signal });
  const connected = await attemptWithin(connect, { timeoutMs: CONNECT_MS, signal });
  connected?.connection.close();
  return connected !== undefined;
}
