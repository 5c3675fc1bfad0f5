/**
 * The way to one panel, as the checks of `doctor` get to know it, link by link.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { OPTION_ROWS } from "../config/option_table.ts";
import { describeError } from "../log/log.ts";
import { DialError } from "../net/errors.ts";
import { NetDialer } from "../net/dialer.ts";
import { RUNTIME_NAMES, SystemResolver } from "../net/dns.ts";
import { ipFamily, isLoopbackHost } from "../parse/ip_address.ts";
import type { Proxy } from "../parse/proxy.ts";
import { urlHost } from "../parse/probe_target.ts";
import {
  lastSetting,
  settingText,
  type UnitSetting,
  variableFile,
} from "../service/loaded_unit.ts";
import { type CheckResult, linesOf, withLines } from "./checks.ts";
import { isWithin } from "./doctor_firewall_rules.ts";
import { lossAdvice, PINGS, sentAgain } from "./doctor_loss.ts";
import { restart } from "./doctor_unit_settings.ts";

/** The way to a panel: its address, what is on it, and what earlier checks have found. */
export interface Way {
  readonly url: URL;
  /** The proxy on it, if there is one. */
  readonly proxy: Proxy | undefined;
  readonly config: Config;
  readonly dialer: NetDialer;
  /** The settings of the service's unit, if the checks run as it does. */
  readonly unit: readonly UnitSetting[];
  /** Where else panels are looked for on the same host; the usual ports by default. */
  readonly usualPorts?: readonly number[] | undefined;
  /** The addresses of the panel's, or the proxy's, name, and who has given them. */
  addresses: readonly string[];
  answeredBy: string;
  /** How many of several pings to it are lost, once it has connected. */
  pings?: Promise<number | undefined>;
  /** Packets that the kernel had sent again before any of it. */
  readonly sentAgain: number;
  /** What to look at first if a later link fails, since the addresses may be wrong. */
  doubts: readonly string[];
}

/** The way to the panel of a configuration. */
export function wayTo(
  config: Config,
  unit: readonly UnitSetting[],
  usualPorts?: readonly number[],
): Way {
  const url = new URL(config.endpoint);
  // A slow name server is a finding of its own, and takes no time from the links after it.
  const dialer = dialerOf(
    config,
    (host) => host === firstHop(way).host && way.addresses.length > 0 ? way.addresses : undefined,
  );
  const proxy = dialer.proxyFor(url);
  const way: Way = {
    ...{ url, proxy, config, dialer, unit, usualPorts, sentAgain: sentAgain() },
    ...{ addresses: [], answeredBy: "", doubts: [] },
  };
  return way;
}

/** A dialer for which some hosts have these addresses, and the others those that the system gives. */
export function dialerOf(
  config: Config,
  known: (host: string) => readonly string[] | undefined,
): NetDialer {
  return new NetDialer(
    config,
    new SystemResolver({
      lookUp: async (host) => known(host) ?? await RUNTIME_NAMES.lookUp(host),
      lookUpHosts: async (host) => known(host) ?? await RUNTIME_NAMES.lookUpHosts(host),
    }),
  );
}

/** Addresses of a name that are tried one by one. */
const MAX_ADDRESSES = 4;

/** The way by each address of the panel's name alone; none where it has one, or a proxy resolves it. */
export function waysByAddress(way: Way): (Way & { readonly address: string })[] {
  if (way.proxy !== undefined || way.addresses.length < 2) return [];
  const config = { ...way.config, nameServer: undefined };
  return way.addresses.slice(0, MAX_ADDRESSES).map((address) => ({
    ...{ ...way, address, addresses: [address] },
    dialer: dialerOf(config, () => [address]),
  }));
}

/** Advice about one of several addresses of a name that is not like the others. */
export function oldAddressAdvice(
  address: string,
  way: Pick<Way, "answeredBy" | "url" | "proxy">,
): string {
  const { host } = firstHop(way);
  const record = ipFamily(address) === 6 ? "AAAA" : "A";
  return way.answeredBy.includes("/etc/hosts")
    ? `if ${address} is another machine, or an old one, remove it from /etc/hosts`
    : `if ${address} is another machine, or an old one, correct the ${record} record of ${host} at its DNS provider`;
}

/** Advice that lasts until one of several addresses is repaired, where another one is of the other family. */
export function preferOther(
  bad: string,
  good: string,
  way: Pick<Way, "config" | "unit">,
): string | undefined {
  const family = ipFamily(good);
  return family === ipFamily(bad) || family === way.config.preferFamily
    ? undefined
    : `until it is repaired, try the other first: ${given(way, `--prefer-ip-version ${family}`)}`;
}

/** Advice where a server that is not the panel's answers at `bad`, and the panel's at `good`, of one name. */
export function strayAdvice(bad: string, good: string, way: Way): (string | undefined)[] {
  const { url } = way;
  const port = portOf(url);
  return [
    oldAddressAdvice(bad, way),
    `if ${bad} is the panel's machine, have the server there answer for ${url.hostname} at that address, too ` +
    `(nginx: listen ${ipFamily(bad) === 6 ? `[::]:${port}` : port} in its server block)`,
    preferOther(bad, good, way),
  ];
}

/** Whom a connection goes to: the proxy, if there is one, else the panel. */
export function firstHop(
  { url, proxy }: Pick<Way, "url" | "proxy">,
): { host: string; port: number } {
  return proxy ?? { host: urlHost(url), port: portOf(url) };
}

/** The same in words. */
export function hopText(way: Pick<Way, "url" | "proxy">): string {
  const { host } = firstHop(way);
  return way.proxy === undefined ? host : `the proxy ${host}`;
}

/** The port of a URL, also where it does not name it. */
export function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
}

/** The ports of panels: those of web servers before them, and Komari's own. */
export const USUAL_PORTS: readonly number[] = [443, 80, 25774];

/** The addresses that panels usually have on the same host, other than the configured one. */
export function usualAddresses(
  { url, usualPorts = USUAL_PORTS }: Pick<Way, "url" | "usualPorts">,
): { address: string; port: number }[] {
  return usualPorts.filter((port) => port !== portOf(url)).map((port) => {
    const scheme = port === 443 ? "https" : "http";
    return { port, address: new URL(`${scheme}://${url.hostname}:${port}`).origin };
  });
}

/** Where the panel's address came from, as an addition to a text; empty for an address. */
export function originText({ addresses, answeredBy }: Way): string {
  return answeredBy === "" ? "" : ` (${addresses[0] ?? "no address"}, ${answeredBy})`;
}

/** The network that is nobody's (RFC 2544), and from which such proxies take addresses. */
const FAKE_IPS = /^198\.1[89]\./;

/** Whether the name's addresses are placeholders of such a proxy. */
export function isFakeIp({ addresses }: Pick<Way, "addresses">): boolean {
  return addresses.length > 0 && addresses.every((it) => FAKE_IPS.test(it));
}

/**
 * Networks of Facebook, Twitter and Dropbox, and Teredo's, from which forged answers take addresses
 * where a name is blocked.
 */
const FORGED_FROM = [
  ...["31.13.64.0/18", "66.220.144.0/20", "69.63.176.0/20", "69.171.224.0/19", "157.240.0.0/16"],
  ...["173.252.64.0/18", "104.244.40.0/21", "199.16.156.0/22", "199.59.148.0/22"],
  ...["108.160.160.0/20", "162.125.0.0/16", "2001::/32"],
];

/** Whether the name's addresses are such as forged answers give. */
export function isForged({ addresses }: Pick<Way, "addresses">): boolean {
  return addresses.length > 0 &&
    addresses.every((it) => FORGED_FROM.some((network) => isWithin(it, network) === true));
}

/** What is said of such an address, behind a text. */
export function withForged(text: string, { addresses }: Pick<Way, "addresses">): string {
  return `${text}; ${
    addresses.join(", ")
  } is of a network from which forged answers for blocked names are ` +
    "(Facebook's, Twitter's)";
}

/** A look at whether an address is the panel's, or the proxy's, where somebody has given it for a name. */
export function originLook(
  { addresses, answeredBy, proxy }: Pick<Way, "addresses" | "answeredBy" | "proxy">,
  address = addresses[0],
): string[] {
  if (answeredBy === "") return [];
  return [
    proxy === undefined
      ? `see whether ${address} is the panel's address (${answeredBy})`
      : `see whether ${address} is the proxy's address (${answeredBy})`,
  ];
}

/** Has the agent ask another name server than the system's. */
export function otherNameServer(way: Pick<Way, "config">): string {
  return `ask another name server: ${given(way, "--custom-dns ADDRESS")}`;
}

/** Shows what the firewall of this machine does. */
export const OWN_FIREWALL =
  "see whether a firewall here drops or refuses it: nft list ruleset || iptables-save";

/** The option, variable or key that names the panel's address, with its file and how a change is used. */
export function endpointPlace({ config, unit }: Pick<Way, "config" | "unit">): string {
  const { origins, endpoint, furtherPanels, isConfigInstalled, serviceName } = config;
  const isFirst = furtherPanels.every((panel) => panel.endpoint !== endpoint);
  const origin = origins.get(isFirst ? "endpoint" : "panels") ?? "";
  if (origin === "" || origin.startsWith("flag ")) return "-e";
  const file = variableFile(unit, "AGENT_ENDPOINT");
  const isOfUnit = file !== undefined && origin.includes("AGENT_ENDPOINT");
  const place = isOfUnit ? `AGENT_ENDPOINT in ${file}` : origin;
  if (!isConfigInstalled) return place;
  return `${place} (and then: ${isOfUnit ? restart(serviceName) : reinstall(config)})`;
}

/** Has an address be configured; with a warning where it has no TLS, and the present one has. */
export function writeAddress(address: string, way: Pick<Way, "url" | "config" | "unit">): string {
  const place = endpointPlace(way);
  return way.url.protocol === "https:" && address.startsWith("http:")
    ? `write ${address} into ${place}: without TLS all on the way can read the token`
    : `write ${address} into ${place}`;
}

/**
 * An option, or a variable of proxies, as the installed service gets it; where there is none, it alone.
 * What a variable of the service's unit sets is changed there, since it wins over what is installed.
 */
export function given({ config, unit = [] }: OfService, option: string): string {
  if (!config.isConfigInstalled) return option;
  const [, flag] = /^--(?:unset )?(\S+)/.exec(option) ?? [];
  // A token that a variable has wins over one that is named by its file.
  const meant = flag === "token-file" && config.origins.has("token") ? "token" : flag;
  const { key = "", variable = "" } = OPTION_ROWS.find((row) => row.flag === meant) ?? {};
  const file = variableFile(unit, variable);
  if (file !== undefined && config.origins.get(key) === `variable ${variable}`) {
    return `change ${variable} in ${file}, and then: ${restart(config.serviceName)}`;
  }
  const command = reinstall(config);
  return option.startsWith("-") ? `${command} ${option}` : `${option} ${command}`;
}

/** A configuration, and the settings of the unit of its service. */
interface OfService {
  readonly config: Config;
  readonly unit?: readonly UnitSetting[];
}

/** The command that starts the installed service anew with its files as they are, by any manager. */
export function reinstall({ serviceName }: Pick<Config, "serviceName">): string {
  const name = serviceName === "komari-agent-deno" ? "" : ` --install-service-name ${serviceName}`;
  return `komari-agent-deno install${name}`;
}

/** The variable that lets connections to a panel leave the proxy out, beside those that already do. */
export function withoutProxy(way: Pick<Way, "config" | "url">): string {
  const all = [...way.config.proxies.none?.split(/[\s,]+/) ?? [], urlHost(way.url)];
  return given(way, `NO_PROXY=${all.filter((it) => it !== "").join(",")}`);
}

/** The message of an error; that of a dial error says everything without its cause. */
export function failureText(error: unknown): string {
  return error instanceof DialError ? error.message : describeError(error);
}

/** The result of a link, which begins with the doubts about the addresses where it has failed. */
export async function withDoubts(way: Way, link: Promise<CheckResult>): Promise<CheckResult> {
  const found = await link;
  if (found.status !== "failed") return found;
  const lost = await way.pings?.catch(() => undefined) ?? 0;
  const look = lossAdvice(way.addresses[0] ?? firstHop(way).host);
  const loss = found.kind === "no_answer" && lost > 0 &&
    `${lost} of ${PINGS} pings are lost, too: ${look}`;
  const ofPanel = way.proxy === undefined ? overridden(way, "AGENT_ENDPOINT") : undefined;
  return withLines(found, [ofPanel, loss || undefined, ...way.doubts, ...linesOf(found)]);
}

/** Advice on a variable of the unit that wins over another value of the configuration. */
export function overridden(
  { config, unit }: Pick<Way, "config" | "unit">,
  variable: "AGENT_ENDPOINT" | "AGENT_TOKEN",
): string | undefined {
  const { endpoint, token, configPath, isConfigInstalled, serviceName } = config;
  const file = variableFile(unit, variable);
  if (file === undefined || configPath === undefined || !isConfigInstalled) return undefined;
  const text = attempt(() => Deno.readTextFileSync(configPath)) ?? "";
  const other = variable === "AGENT_TOKEN"
    ? /"token"\s*:\s*"([^"]+)"/.exec(text)?.[1]
    : /"endpoint"\s*:\s*"(https?:[^"?#@]+)"/.exec(text)?.[1];
  if (other === undefined || [endpoint, token].includes(other)) return undefined;
  return variable === "AGENT_TOKEN"
    ? `remove AGENT_TOKEN from ${file}, which wins over the token of ${configPath}, if that is this ` +
      `node's, and then: ${restart(serviceName)}`
    : `remove AGENT_ENDPOINT from ${file}, which wins over ${other} of ${configPath}, if that is the ` +
      `panel, and then: ${restart(serviceName)}`;
}

/** A duration in seconds, in words. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Whether a unit has the kernel drop what its service sends to an address, or to a name's. */
export function isDenied(unit: readonly UnitSetting[], address: string): boolean {
  const lists = (name: string) => {
    const values = unit.filter((it) => it.name === name).map(({ value }) => value);
    // An empty value takes back those before it.
    const words = values.slice(values.lastIndexOf("") + 1).join(" ").split(/\s+/);
    return words.some((word) =>
      word === "any" || word === "localhost" && isLoopbackHost(address) ||
      isWithin(address, word) === true
    );
  };
  return lists("IPAddressDeny") && !lists("IPAddressAllow");
}

/** Settings that take a network, or a part of it, from a service. */
const NETWORK_SETTINGS = ["PrivateNetwork", "NetworkNamespacePath", "IPAddressDeny"];

/**
 * What to do about a setting of the unit that takes the network from the service; `undefined` where
 * it has none.
 *
 * @param names The settings that may explain what was observed.
 * @param addresses Those that can't be reached, by default the first hop's.
 */
export function unitAdvice(
  way: Pick<Way, "unit" | "config" | "url" | "proxy" | "addresses">,
  names: readonly string[] = NETWORK_SETTINGS,
  addresses = way.addresses.length > 0 ? way.addresses : [firstHop(way).host],
): string | undefined {
  const { unit, config } = way;
  const setting = names.flatMap((name) => lastSetting(unit, name) ?? []).find(({ name, value }) =>
    name === "IPAddressDeny"
      ? addresses.some((address) => isDenied(unit, address))
      : !["", "no", "false"].includes(value)
  );
  if (setting === undefined) return undefined;
  const [place, again] = [settingText(setting), restart(config.serviceName)];
  return `the service's unit takes the network from it: remove ${place}, and then: ${again}`;
}
