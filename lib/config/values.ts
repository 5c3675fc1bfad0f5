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

/**
 * A node's secret; it may begin with a dash.
 *
 * @throws {RangeError} When it has blanks within.
 */
export function parseToken(value: string): string {
  const token = value.trim();
  if (token === "" || /\s/.test(token)) throw new RangeError("the token as the panel shows it");
  return token;
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

function httpUrl(value: string): URL | undefined {
  if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) return undefined;
  return new URL(value);
}
