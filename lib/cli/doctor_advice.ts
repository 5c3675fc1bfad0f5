/**
 * Advice of `doctor` on the way to a panel: what to do about a cause.
 *
 * @module
 */

import { isInContainerImage } from "../host/this_program.ts";
import { describeError } from "../log/log.ts";
import { DialError } from "../net/errors.ts";
import type { HttpResponse } from "../net/http_client.ts";
import { isHtml } from "../panel/http_exchange.ts";
import { truncate } from "../parse/bounded_text.ts";
import type { Proxy } from "../parse/proxy.ts";
import { urlHost } from "../parse/probe_target.ts";

/** The way to a panel. */
export interface Way {
  readonly url: URL;
  /** The proxy on it, if there is one. */
  readonly proxy: Proxy | undefined;
}

/** The message of an error; that of a dial error says everything without its cause. */
export function failureText(error: unknown): string {
  return error instanceof DialError ? error.message : describeError(error);
}

/** Whether a host is this machine. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d+){3}$/.test(host);
}

/** Advice when a name can't be resolved. */
export function lookupAdvice({ url, proxy }: Way): string {
  if (proxy !== undefined) return proxyAdvice(url);
  if (isInContainerImage()) {
    return "check the name; a container asks the name server of its network: --dns of docker run, or " +
      "--custom-dns HOST here";
  }
  return "check the name and the name servers; --custom-dns HOST asks another one";
}

/** Advice when no connection can be opened. */
export function connectAdvice(error: unknown, way: Way): string {
  const { url, proxy } = way;
  const { message, stage } = error instanceof DialError
    ? error
    : { message: String(error), stage: "connect" };
  if (stage === "proxy") return refusingProxyAdvice(message, way);
  if (proxy !== undefined) return proxyAdvice(url);
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  if (isInContainerImage() && isLoopback(urlHost(url))) {
    return "within a container this address is the container itself: give the panel's name or " +
      "address, or start the container with --network host";
  }
  if (/refused/.test(message)) {
    const own = isLoopback(urlHost(url))
      ? "; in a container this address is the container itself"
      : "";
    return `nothing listens on port ${port} there: start the panel, or correct the port in -e${own}`;
  }
  if (/network is unreachable/.test(message)) {
    return "this machine has no route to that address: check its network and default route " +
      "(ip route)";
  }
  return `check that the panel's machine runs, and that firewalls on the way let port ${port} pass`;
}

/** The variables that name the proxy for a URL. */
function proxyVariables(url: URL): string {
  return `${url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY"}/ALL_PROXY`;
}

function proxyAdvice(url: URL): string {
  const [host, names] = [urlHost(url), proxyVariables(url)];
  return `start the proxy, correct ${names}, or reach the panel without it: NO_PROXY=${host}`;
}

/** A cause by its message, and what to do about it. */
type Cause = readonly [pattern: RegExp, advice: string];

/** A proxy that was reached and opens no way to the panel. */
function refusingProxyAdvice(message: string, { url }: Way): string {
  const [host, names] = [urlHost(url), proxyVariables(url)];
  const causes: readonly Cause[] = [
    [
      / 407\b|user or password/,
      `put the proxy's user and password into ${names}: http://USER:PASSWORD@HOST:PORT`,
    ],
    [/ 403\b/, `have the proxy allow ${host}, or reach it without the proxy: NO_PROXY=${host}`],
    [
      / 50[234]\b/,
      `the proxy can't reach ${host}: check the panel from the proxy, or use NO_PROXY=${host}`,
    ],
    [
      /^/,
      `what ${names} names is a web server rather than a proxy: correct it, or NO_PROXY=${host}`,
    ],
  ];
  return adviceOf(message, causes);
}

/** Advice about a certificate, or about a server that speaks no TLS. */
export function tlsAdvice(message: string, { url }: Way): string {
  const host = urlHost(url);
  const plain = `http://${url.host}${url.pathname.replace(/\/$/, "")}`;
  return adviceOf(message, [
    [
      /does not speak TLS/,
      `if the panel has no TLS: -e ${plain}; else give the port that speaks TLS`,
    ],
    [
      /another name/,
      `use one of its names in -e, or give the panel a certificate for ${host}`,
    ],
    [
      /expired|not valid yet/,
      "if this machine's date is wrong, set it (timedatectl set-ntp true); else renew the " +
      "panel's certificate",
    ],
    [
      /self-signed|issuer is unknown/,
      "trust the panel's own authority or certificate with --ca-cert FILE; this fetches what it " +
      `shows, to be compared there: openssl s_client -connect ${host}:${url.port || "443"} ` +
      "</dev/null | openssl x509 >FILE; if a known authority issued it, the panel's server lacks " +
      "the intermediate certificate: give it the full chain (fullchain.pem)",
    ],
    [
      /no answer within/,
      "no TLS is spoken there, or large packets are lost on the way: try a smaller MTU " +
      "(ip link set dev INTERFACE mtu 1280)",
    ],
    [/^/, "check the TLS settings of the panel or of the proxy in front of it"],
  ]);
}

/** The advice of the first cause that a message names. */
export function adviceOf(message: string, causes: readonly Cause[]): string {
  return causes.find(([pattern]) => pattern.test(message))?.[1] ?? "";
}

/** Whether something in front of a panel asks for a password; a panel refuses a token in JSON. */
export function isPasswordWall({ status, text, headers }: HttpResponse): boolean {
  return status === 401 && (headers.has("www-authenticate") || isHtml(text));
}

/** Longer addresses of a redirect are cut. */
const MAX_ADDRESS_LENGTH = 200;

/** The panel's address by a redirect of one of its calls; `undefined` for a login page, or a loop. */
function movedTo(location: string, url: URL): string | undefined {
  if (!URL.canParse(location, url)) return undefined;
  const { origin, pathname } = new URL(location, url);
  const end = pathname.indexOf("/api/clients/");
  const address = origin + pathname.slice(0, Math.max(0, end));
  return end === -1 || address === url.href.replace(/\/$/, "") ? undefined : address;
}

/** Advice when something else than a panel answers. */
export function answerAdvice(answer: HttpResponse, { url, proxy }: Way): string {
  const { status, text, headers } = answer;
  const location = headers.get("location") ?? "";
  const moved = status >= 300 && status < 400 ? movedTo(location, url) : undefined;
  if (moved !== undefined) {
    const address = truncate(moved, MAX_ADDRESS_LENGTH);
    return `the panel's address is another one: use -e ${address}`;
  }
  if (isPasswordWall(answer)) {
    return "let /api/clients/ pass without the password, or send it with --header " +
      "'Authorization: Basic …'; the token is not the cause";
  }
  if (/sent to HTTPS port|HTTP request to an HTTPS server/i.test(text)) {
    return `use https://${url.host}`;
  }
  if (/install mode/.test(text)) {
    return `the panel is not set up yet: open ${url.origin} in a browser`;
  }
  if (proxy !== undefined && status !== 403 && status < 500) {
    return refusingProxyAdvice("", { url, proxy });
  }
  if (status === 413) {
    return "let the proxy in front of the panel take larger requests (nginx: client_max_body_size 1m)";
  }
  if ([502, 503, 504].includes(status)) {
    return "the proxy in front of the panel works, and the panel behind it is down or overloaded: " +
      "start the panel there";
  }
  if ([403, 405, 429].includes(status)) {
    return "a firewall in front of the panel refuses this: let /api/clients/ pass";
  }
  return "check the address and its path in -e, and the proxy in front of the panel";
}

/** Advice when the clocks of this machine and of the panel differ. */
export function clockAdvice(): string {
  if (isInContainerImage()) {
    return "set the clock of the machine that runs the container, or that of the panel";
  }
  return "set the wrong one of both by NTP, for example: timedatectl set-ntp true";
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A difference of clocks in words: `42 s`, `15 min`, `3 h`, `400 days`. */
export function clockDifference(ms: number): string {
  const absolute = Math.abs(ms);
  const units: readonly (readonly [least: number, unit: number, name: string])[] = [
    [2 * DAY_MS, DAY_MS, "days"],
    [2 * HOUR_MS, HOUR_MS, "h"],
    [10 * MINUTE_MS, MINUTE_MS, "min"],
  ];
  const [, unit, name] = units.find(([least]) => absolute >= least) ?? [0, SECOND_MS, "s"];
  return `${Math.round(absolute / unit)} ${name}`;
}
