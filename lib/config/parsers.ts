/**
 * Values of options that are more than a word or a number.
 *
 * Headers of the user's own.
 *
 * @module
 */

import { ipFamily } from "../parse/ip_address.ts";
import { parseProxy } from "../parse/proxy.ts";
import { UsageError } from "./usage_error.ts";

/**
 * A panel's base URL without the slash at its end.
 *
 * @throws {RangeError} When it is no plain HTTP address.
 */
export function parseEndpoint(value: string): string {
  const url = httpUrl(value);
  if (url === undefined || url.username !== "" || url.password !== "") {
    throw new RangeError("a URL such as https://panel.example.com");
  }
  if (url.search !== "" || url.hash !== "") {
    throw new RangeError("a URL without ? and #");
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/** What a token must be, as the end of a sentence. */
export const TOKEN_RULE = "one token as the panel shows it, without blanks in it";

/**
 * A node's secret; it may begin with a dash.
 *
 * @throws {RangeError} When it has blanks within.
 */
export function parseToken(value: string): string {
  const token = value.trim();
  if (token === "" || /\s/.test(token)) throw new RangeError(TOKEN_RULE);
  return token;
}

/** Panels take no shorter ones. */
const SHORTEST_DISCOVERY_KEY = 12;

/**
 * A panel's key by which nodes register themselves.
 *
 * @throws {RangeError} When it is too short for any panel's.
 */
export function parseDiscoveryKey(value: string): string {
  const key = value.trim();
  if (key.length < SHORTEST_DISCOVERY_KEY) {
    throw new RangeError(`the panel's key, ${SHORTEST_DISCOVERY_KEY} letters at least`);
  }
  return key;
}

/** @throws {RangeError} When it is no literal address of that family. */
export function parseAddress(value: string, family: 4 | 6): string {
  if (ipFamily(value) !== family) throw new RangeError(`an IPv${family} address`);
  return value;
}

/** @throws {RangeError} When it is neither `off` nor a list of URLs. */
export function parseServices(value: string): "off" | readonly string[] {
  if (value === "off") return value;
  const urls = value.split(",").map((url) => url.trim()).filter((url) => url !== "");
  if (urls.length === 0 || urls.some((url) => httpUrl(url) === undefined)) {
    throw new RangeError("off, or URLs by commas");
  }
  return urls;
}

/** A name server's address. */
export interface NameServer {
  /** Without the brackets around IPv6. */
  readonly host: string;
  readonly port: number;
}

/**
 * A name server, port 53 unless it says otherwise; `undefined` for an empty text.
 *
 * @throws {RangeError} When it is no host with or without a port.
 */
export function parseNameServer(value: string): NameServer | undefined {
  if (value === "") return undefined;
  // What existing units have: without a port there is nothing to confuse it with.
  if (ipFamily(value) === 6) return { host: value, port: 53 };
  const parts = /^(?:\[([^\]]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(value);
  const [, inBrackets, plain = "", port = "53"] = parts ?? [];
  const isHost = inBrackets === undefined ? plain !== "" : ipFamily(inBrackets) === 6;
  if (!isHost || Number(port) < 1 || Number(port) > 65535) {
    throw new RangeError("HOST or HOST:PORT, an IPv6 address in brackets");
  }
  return { host: inBrackets ?? plain, port: Number(port) };
}

function httpUrl(value: string): URL | undefined {
  if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) return undefined;
  return new URL(value);
}

/** A header: its name and its value. */
export type Header = readonly [name: string, value: string];

/** What the agent sets itself, since a request would not be one without it. */
const OWN = /^(host|content-length|connection|upgrade|transfer-encoding|sec-websocket-.*)$/i;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

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
  if (!TOKEN.test(name)) {
    throw new RangeError("Name: value, with a name of letters, digits and dashes");
  }
  if (OWN.test(name)) {
    throw new RangeError(`any header but ${name}, which the agent sets itself`);
  }
  return [name, parseHeaderValue(line.slice(colon + 1))];
}

/**
 * A header's value without the blanks around it.
 *
 * @throws {RangeError} When a header can't carry it.
 */
export function parseHeaderValue(value: string): string {
  const trimmed = value.trim();
  if (!/^[\x20-\x7e]*$/.test(trimmed)) {
    throw new RangeError("a value of plain ASCII letters, digits and signs");
  }
  return trimmed;
}

/** Adds headers to those of the user's own, which win over others of their name. */
export function withHeaders(own: readonly Header[], more: readonly Header[]): readonly Header[] {
  const names = new Set(own.map(([name]) => name.toLowerCase()));
  return [
    ...own,
    ...more.filter(([name, value]) => value !== "" && !names.has(name.toLowerCase())),
  ];
}

/** Only what may be public: a file of certificates often holds the key as well. */
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/**
 * The certificates of a PEM file, a text each; `name` is what the file is called in the message.
 *
 * @throws {UsageError} When there are none.
 */
export function parseCertificates(text: string, name: string): readonly string[] {
  const found = text.match(CERTIFICATE);
  if (found === null) {
    throw new UsageError(
      `Cannot use ${name}: there is no certificate in it; PEM begins with -----BEGIN CERTIFICATE`,
    );
  }
  return found.map((pem) => `${pem}\n`);
}

/** Proxies by the scheme of what is asked for, as URLs; and who is asked without one. */
export interface Proxies {
  readonly http?: string;
  readonly https?: string;
  /** Hosts by commas. */
  readonly none?: string;
}

/**
 * The proxies of the environment, by the names that other programs use; small letters win over
 * capitals, as in curl.
 *
 * @throws {UsageError} When a proxy is of a kind that is not known; the message never shows the URL.
 */
export function proxiesOf(env: Readonly<Record<string, string>>): Proxies {
  const all = find(env, "all_proxy");
  const http = find(env, "http_proxy") ?? all;
  const https = find(env, "https_proxy") ?? all;
  const none = find(env, "no_proxy");
  return {
    ...(http && { http: proxyUrl(http) }),
    ...(https && { https: proxyUrl(https) }),
    ...(none && { none: none.value }),
  };
}

interface Variable {
  readonly name: string;
  readonly value: string;
}

function find(env: Readonly<Record<string, string>>, small: string): Variable | undefined {
  for (const name of [small, small.toUpperCase()]) {
    const value = env[name]?.trim();
    if (value) return { name, value };
  }
  return undefined;
}

/** Without a scheme it is an HTTP proxy, as in curl. */
function proxyUrl({ name, value }: Variable): string {
  try {
    parseProxy(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`${error.message} (variable ${name})`);
  }
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
}
