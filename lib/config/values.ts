/**
 * Values of options that are more than a word or a number.
 *
 * @module
 */

import { ipFamily } from "../parse/ip_address.ts";

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
