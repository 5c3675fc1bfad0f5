/**
 * Parsers of option values that are more than a word or a number. Each throws a `RangeError` whose
 * message says what is allowed.
 *
 * @module
 */

import { ipFamily } from "../parse/ip_address.ts";
import { isJsonObject, parseJson } from "../parse/json.ts";
import type { HostAndPort } from "../parse/proxy.ts";
import { UsageError } from "./usage_error.ts";

/** @throws {RangeError} If it is not so, with what is expected. */
export function expected(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new RangeError(what);
}

/**
 * A panel's base URL without the slash at its end.
 *
 * @throws {RangeError} When it is no plain HTTP address.
 */
export function parseEndpoint(value: string): string {
  // A short one may be the name of a machine.
  const isToken = isLikeToken(value) && value.trim().length >= TOKEN_LENGTH;
  expected(
    !isToken,
    "a URL such as https://panel.example.com; it has the form of a token: endpoint and token look exchanged",
  );
  const url = httpUrl(value);
  const isUsable = url !== undefined && url.username === "" && url.password === "" &&
    url.port !== "0" && /^[\w.:[\]-]+$/.test(url.host);
  if (!isUsable) throw new RangeError(allowedUrl(value));
  const isTwice = /^https?$/.test(url.hostname) && url.pathname.startsWith("//");
  expected(!isTwice, "a URL with http:// or https:// once");
  expected(url.search === "" && url.hash === "", "a URL without ? and #");
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/** What is allowed in place of a text that is no URL: its own host, if it lacks only the scheme. */
function allowedUrl(value: string): string {
  const [, host = ""] =
    /^(?:[a-z]+:?\/{1,2})?([\w.-]+\.[\w-]+(?::\d{1,5})?)(?![^/?#])/i.exec(value) ?? [];
  const isHost = httpUrl(`https://${host}`) !== undefined;
  const url = `https://${isHost ? host : "panel.example.com"}`;
  // Komari's own port, as any other, has no TLS by itself.
  return /:(?!443$)/.test(host) && isHost
    ? `a URL such as ${url}, or http://${host} without TLS`
    : `a URL such as ${url}`;
}

/** Panels make tokens of at least so many characters. */
const TOKEN_LENGTH = 16;

/** Whether a text may be a token that was given in place of something else, and so must not be shown. */
export function isLikeToken(text: string): boolean {
  const bare = text.trim().replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");
  return /^[^\s.:/]{8,}$/.test(bare) && (bare.length >= TOKEN_LENGTH || /\d/.test(bare));
}

/** The allowed form of a token, as the end of a sentence. */
export const TOKEN_RULE = "one token as the panel shows it, without blanks in it";

/**
 * Parses an Ed25519 public key, as `openssl pkey -pubout` prints it between its first and last line.
 *
 * @throws {RangeError} If it is another text.
 */
export function parsePublicKey(value: string): string {
  const isKey = /^MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}=$/.test(value);
  expected(isKey, "an Ed25519 public key in Base64, which begins with MCowBQYDK2VwAyEA");
  return value;
}

/**
 * A stable version by its exact name, without a `v` before it.
 *
 * @throws {RangeError} When it is none.
 */
export function parseVersion(value: string): string {
  const [, version] = /^v?(\d{1,9}\.\d{1,9}\.\d{1,9})$/.exec(value) ?? [];
  expected(version !== undefined, "a version such as 1.2.3");
  return version;
}

/**
 * A node's secret; it may begin with a dash.
 *
 * @throws {RangeError} When it has blanks within.
 */
export function parseToken(value: string): string {
  const token = value.trim();
  expected(/^\S+$/.test(token), TOKEN_RULE);
  const isUrl = /^https?:\/\//i.test(token);
  expected(!isUrl, `${TOKEN_RULE}; it is a URL: endpoint and token look exchanged`);
  return token;
}

/** Panels accept no shorter keys. */
const MIN_KEY_LENGTH = 12;

/**
 * A panel's auto-discovery key, with which nodes register themselves.
 *
 * @throws {RangeError} When it is shorter than any panel allows.
 */
export function parseDiscoveryKey(value: string): string {
  const key = value.trim();
  expected(key.length >= MIN_KEY_LENGTH, `the panel's key, ${MIN_KEY_LENGTH} letters at least`);
  return key;
}

/** @throws {RangeError} When it is no literal address of that family. */
export function parseAddress(value: string, family: 4 | 6): string {
  expected(ipFamily(value) === family, `an IPv${family} address`);
  return value;
}

/** @throws {RangeError} When it is neither `off` nor a list of URLs. */
export function parseServices(value: string): "off" | readonly string[] {
  if (value === "off") return value;
  const urls = value.split(",").map((url) => url.trim()).filter((url) => url !== "");
  const areUrls = urls.length > 0 && urls.every((url) => httpUrl(url) !== undefined);
  expected(areUrls, "off, or URLs separated by commas");
  return urls;
}

/**
 * A name server, port 53 unless it says otherwise; `undefined` for an empty text.
 *
 * @throws {RangeError} When it is no host with or without a port.
 */
export function parseNameServer(value: string): HostAndPort | undefined {
  if (value === "") return undefined;
  // Existing units have it without brackets, which is unambiguous without a port.
  if (ipFamily(value) === 6) return { host: value, port: 53 };
  const parts = /^(?:\[([^\]]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(value);
  const [, inBrackets, plain = "", port = "53"] = parts ?? [];
  const isHost = inBrackets === undefined ? plain !== "" : ipFamily(inBrackets) === 6;
  const isPort = Number(port) >= 1 && Number(port) <= 65535;
  expected(isHost && isPort, "HOST or HOST:PORT, an IPv6 address in brackets");
  return { host: inBrackets ?? plain, port: Number(port) };
}

/** An address to listen on. */
export interface ListenAddress {
  readonly hostname: string;
  readonly port: number;
}

/**
 * Parses an address or a host name, and a port to listen on; loopback if only a port is given.
 *
 * @throws {RangeError} When it is none.
 */
export function parseListenAddress(value: string): ListenAddress {
  const [, inBrackets, plain = "", digits = ""] =
    /^(?:(?:\[([^\]]+)\]|([A-Za-z\d.-]*)):)?(\d{1,5})$/.exec(value) ?? [];
  const hostname = inBrackets ?? (plain || "127.0.0.1");
  const port = Number(digits);
  const isAddress = ipFamily(hostname) === (inBrackets === undefined ? 4 : 6);
  const isName = inBrackets === undefined && /^(?!-)(?=.*[A-Za-z])/.test(hostname);
  const isRight = digits !== "" && (isAddress || isName) && port <= 65535;
  expected(isRight, "PORT or ADDRESS:PORT, an IPv6 address in brackets");
  return { hostname, port };
}

/**
 * A folder that goes into unit files and scripts, where other characters would need quoting.
 *
 * @throws {RangeError} When it is no such full path.
 */
export function parseInstallFolder(value: string): string {
  const isPlain = /^\/[A-Za-z0-9._/+@-]*[A-Za-z0-9._+@-]\/*$/.test(value) &&
    !value.split("/").includes("..");
  expected(isPlain, "a full path of letters, digits and ._+@-, such as /opt/komari-agent-deno");
  return value.replace(/\/+$/, "");
}

/**
 * A folder of persistent state.
 *
 * @throws {RangeError} When it is relative, which would mean another one after the next start.
 */
export function parseStateFolder(value: string): string {
  expected(/^\/+[^/]/.test(value), "a full path, such as /var/lib/komari");
  return withoutSlash(value);
}

/** A path without the slashes at its end. */
export function withoutSlash(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}

/**
 * A service's name.
 *
 * @throws {RangeError} When it has other characters, or too many.
 */
export function parseServiceName(value: string): string {
  expected(/^[A-Za-z0-9][\w.@-]{0,63}$/.test(value), "letters, digits and _.@-, 64 at most");
  return value;
}

function httpUrl(value: string): URL | undefined {
  if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) return undefined;
  return new URL(value);
}

/** A header: its name and its value. */
export type Header = readonly [name: string, value: string];

/** Headers that the agent sets itself. */
const RESERVED = /^(host|content-length|connection|upgrade|transfer-encoding|sec-websocket-.*)$/i;

/** A token of RFC 9110. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * Headers, one `Name: value` per line.
 *
 * @throws {RangeError} When a line is none, or one of those that the agent sets itself. A value is
 * never part of the message.
 */
export function parseHeaders(text: string): readonly Header[] {
  return text.split("\n").flatMap((line) => line.trim() === "" ? [] : [parseHeader(line)]);
}

function parseHeader(line: string): Header {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0)).trim();
  expected(HEADER_NAME.test(name), "Name: value, with a name of letters, digits and dashes");
  expected(!RESERVED.test(name), `any header but ${name}, which the agent sets itself`);
  return [name, parseHeaderValue(line.slice(colon + 1))];
}

/**
 * A header's value without the blanks around it.
 *
 * @throws {RangeError} When a header can't carry it.
 */
export function parseHeaderValue(value: string): string {
  const trimmed = value.trim();
  expected(/^[\x20-\x7e]*$/.test(trimmed), "a value of plain ASCII letters, digits and signs");
  return trimmed;
}

/** Adds headers to the user's own, which win over others of the same name. */
export function withHeaders(own: readonly Header[], more: readonly Header[]): readonly Header[] {
  const names = new Set(own.map(([name]) => name.toLowerCase()));
  return [
    ...own,
    ...more.filter(([name, value]) => value !== "" && !names.has(name.toLowerCase())),
  ];
}

/** Matches no private key, which a file of certificates often holds as well. */
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/**
 * The certificates of a PEM file, a text each; `name` is the file's name in the message.
 *
 * @throws {UsageError} When there are none.
 */
export function parseCertificates(text: string, name: string): readonly string[] {
  const certificates = text.match(CERTIFICATE);
  if (certificates === null) {
    throw new UsageError(
      `Cannot use ${name}: there is no certificate in it; PEM begins with -----BEGIN CERTIFICATE`,
    );
  }
  return certificates.map((pem) => `${pem}\n`);
}

/** The settings that differ between panels. */
export interface PanelSettings {
  /** Base URL without a slash at its end. */
  readonly endpoint: string;
  readonly token: string;
  /** `undefined` if not set: as for the other panels, or by the transport. */
  readonly intervalSeconds: number | undefined;
  readonly remoteControl: boolean;
  readonly remoteFiles: boolean;
}

/**
 * Time between two reports, in seconds: the bounds of the option, and what is used without it; in the demo
 * fast enough to watch.
 */
export const INTERVAL_SECONDS = { min: 0.1, max: 3600, webSocket: 3, post: 5, demo: 1 } as const;

const KEYS = ["endpoint", "token", "interval", "enable_remote_control"];

/** Besides the first. */
const MAX_PANELS = 16;

const RULE = `up to ${MAX_PANELS} more panels, in a JSON array of objects with ${KEYS.join(", ")}`;

/**
 * Parses the option `panels`: `[{"endpoint": "https://…", "token": "…", "interval": 3}]`.
 *
 * @throws {RangeError} When it has another shape, or a panel lacks its endpoint or token.
 */
export function parsePanels(text: string): readonly PanelSettings[] {
  const panels = parseJson(text);
  expected(Array.isArray(panels) && panels.length <= MAX_PANELS, RULE);
  return panels.map(parsePanel);
}

/** The text that {@linkcode parsePanels} reads. */
export function panelsText(panels: readonly Omit<PanelSettings, "remoteFiles">[]): string {
  return JSON.stringify(panels.map(({ endpoint, token, intervalSeconds, remoteControl }) => ({
    endpoint,
    token,
    interval: intervalSeconds,
    enable_remote_control: remoteControl || undefined,
  })));
}

function parsePanel(value: unknown): PanelSettings {
  expected(isJsonObject(value) && Object.keys(value).every((key) => KEYS.includes(key)), RULE);
  const { endpoint, token, interval, enable_remote_control: remote = false } = value;
  expected(typeof endpoint === "string", `for "endpoint" of each panel, a URL`);
  // A pair of the command line may leave out its token.
  const isToken = token === null || (typeof token === "string" && token !== "");
  expected(isToken, `for "token" of each panel, ${TOKEN_RULE}`);
  const { min, max } = INTERVAL_SECONDS;
  const isInterval = interval === undefined ||
    (typeof interval === "number" && interval >= min && interval <= max);
  expected(isInterval, `for "interval" of a panel, a number from ${min} to ${max}`);
  expected(typeof remote === "boolean", `for "enable_remote_control" of a panel, true or false`);
  return {
    endpoint: parseEndpoint(endpoint),
    token: token === null ? "" : parseToken(token),
    intervalSeconds: interval,
    remoteControl: remote,
    remoteFiles: remote,
  };
}
