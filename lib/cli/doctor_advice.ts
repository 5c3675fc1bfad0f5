/**
 * Advice of `doctor` on what answers in place of a panel, and on proxies on the way to it.
 *
 * @module
 */

import type { HttpResponse } from "../net/http_client.ts";
import { isHtml } from "../panel/http_exchange.ts";
import { truncate } from "../parse/bounded_text.ts";
import { ipFamily } from "../parse/ip_address.ts";
import { urlHost } from "../parse/probe_target.ts";
import { variableFile } from "../service/loaded_unit.ts";
import { cloudflareAdvice, sends } from "./doctor_cloudflare.ts";
import { CLIENT_CERTIFICATE_ADVICE } from "./doctor_tls_advice.ts";
import {
  isUnfiled,
  UNFILED_ADVICE,
  WEB_FIREWALL_ADVICE,
  webFirewall,
} from "./doctor_web_firewall.ts";
import { restart } from "./doctor_unit_settings.ts";
import { endpointPlace, given, withoutProxy, writeAddress } from "./doctor_options.ts";
import { originLook, originText, type Way } from "./doctor_way.ts";

/** The variables that may name the proxy; where the service's unit sets one, that one and its file. */
export function proxyVariableNames({ url, unit }: Pick<Way, "url" | "unit">): string {
  const names = [url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY", "ALL_PROXY"];
  const [set] = names.flatMap((name) => [name.toLowerCase(), name]).flatMap((name) => {
    const file = variableFile(unit, name);
    return file === undefined ? [] : [`${name} (${file})`];
  });
  return set ?? names.join("/");
}

/** A proxy that was reached and opens no way to the panel. */
export function refusingProxyAdvice(
  message: string,
  way: Pick<Way, "url" | "unit" | "proxy" | "config">,
): string[] {
  const { url, proxy } = way;
  const scheme = proxy?.kind ?? "http";
  const [host, names] = [urlHost(url), proxyVariableNames(way)];
  if (/ 40[17]\b|user or password|authentication method/.test(message)) {
    if (proxy?.login !== undefined) {
      return [`the proxy does not accept this user and password: correct them in ${names}`];
    }
    const value = `${scheme}://USER:PASSWORD@HOST:PORT`;
    const [name = ""] = names.split(/[/ ]/);
    // A file of the unit's is not what an installation writes.
    const again = restart(way.config.serviceName);
    return [
      names.includes("(")
        ? `put the proxy's user and password into ${names}: ${value}, and then: ${again}`
        : `put the proxy's user and password into ${names}: ${given(way, `${name}=${value}`)}`,
    ];
  }
  if (/ 403\b|rules forbid/.test(message)) {
    return [`have the proxy allow ${host}, or reach it without the proxy: ${withoutProxy(way)}`];
  }
  if (/ 50[234]\b|unreachable|refused|general failure|TTL/.test(message)) {
    return [
      `the proxy was reached, and does not reach ${host}: see on the proxy's machine: ` +
      `curl -v ${url.origin}`,
      `if this machine reaches the panel itself, leave the proxy out: ${withoutProxy(way)}`,
    ];
  }
  if (/closed the connection|no answer/.test(message)) {
    const other = scheme === "http" ? "socks5h" : "http";
    return [
      `see whether it is a proxy of another kind, and name that in ${names}: ${other}://HOST:PORT`,
      `see the proxy's own log, or reach ${host} without the proxy: ${withoutProxy(way)}`,
    ];
  }
  return [
    `what ${names} names is a web server rather than a proxy: correct it, or ${withoutProxy(way)}`,
  ];
}

/** Whether something in front of a panel asks for a password; a panel refuses a token in JSON. */
export function isPasswordWall({ status, text, headers }: HttpResponse): boolean {
  return status === 401 && (headers.has("www-authenticate") || isHtml(text));
}

/** Longer addresses of a redirect, and names of a server, are cut. */
const MAX_ADDRESS_LENGTH = 200;
const MAX_SERVER_LENGTH = 40;

/**
 * The panel's address by a redirect of one of its calls, or by a server that has TLS at this port;
 * `undefined` for another answer, or a login page.
 */
export function movedTo({ status, text, headers }: HttpResponse, url: URL): string | undefined {
  if (/sent to HTTPS port|HTTP request to an HTTPS server/i.test(text)) {
    return new URL(`https://${url.host}`).origin + url.pathname.replace(/\/$/, "");
  }
  const location = headers.get("location") ?? "";
  if (status < 300 || status >= 400 || !URL.canParse(location, url)) return undefined;
  const { origin, pathname } = new URL(location, url);
  const end = pathname.indexOf("/api/clients/");
  if (end === -1) return undefined;
  return truncate(origin + pathname.slice(0, end), MAX_ADDRESS_LENGTH);
}

/** Whether an answer leads back to the address that was called. */
export function leadsBack(answer: HttpResponse, url: URL): boolean {
  return movedTo(answer, url) === url.href.replace(/\/$/, "");
}

/** The end of a name that its owner's other names have, too, as far as that can be told. */
function domainOf({ hostname }: URL): string {
  return hostname.split(".").slice(-2).join(".");
}

/** Advice on an answer that leads to a page elsewhere. */
function pageAdvice(location: string, url: URL): string[] {
  if (!URL.canParse(location, url)) return [];
  const page = new URL(location, url);
  const pass = "if it is a login page in front of the panel, let /api/clients/ pass without it";
  return domainOf(page) === domainOf(url) ? [pass] : [
    `see whether ${page.hostname} is the login page of this machine's own network (a captive portal), and log ` +
    `in there: curl -v ${page.origin}`,
    pass,
  ];
}

/** Who has answered: the server's own name for itself, and where the panel's address came from. */
export function answererText({ headers }: HttpResponse, way: Way): string {
  const server = headers.get("server") ?? "";
  const named = server === "" ? "" : `, by "${truncate(server, MAX_SERVER_LENGTH)}"`;
  return `${named}${originText(way)}`;
}

/** The address that is called, where a panel refuses what has no token. */
function calls({ href }: URL): string {
  return `${href.replace(/\/$/, "")}/api/clients/v2/rpc`;
}

/** Advice when something else than a panel answers; several lines where several causes are left. */
export function answerAdvice(answer: HttpResponse, way: Way): string[] {
  const { status, text, headers } = answer;
  const { url, proxy } = way;
  if (leadsBack(answer, url)) {
    return [
      /cloudflare/i.test(headers.get("server") ?? "")
        ? "set Cloudflare's SSL/TLS mode to Full (strict): with Flexible it asks the panel's own server by HTTP, " +
          "which leads back to https://"
        : `have the server answer at ${url.origin} rather than lead there (nginx: return 301 in the server of ` +
          "port 80 alone; behind another proxy, by its X-Forwarded-Proto)",
    ];
  }
  if (isUnfiled(answer)) return UNFILED_ADVICE;
  const moved = movedTo(answer, url);
  if (moved !== undefined) {
    return [`the panel's address is another one: ${writeAddress(moved, way)}`];
  }
  const ofCloudflare = cloudflareAdvice(answer, way.config.headers);
  if (ofCloudflare !== undefined) return ofCloudflare;
  if (webFirewall(answer) !== undefined) return WEB_FIREWALL_ADVICE;
  if (isPasswordWall(answer)) {
    if (sends(way.config.headers, "authorization")) {
      return [
        "correct the user and password that --header sends, which are refused there; the token is not the cause",
      ];
    }
    return [
      "let /api/clients/ pass without the password, or send it with --header " +
      "'Authorization: Basic …'; the token is not the cause",
    ];
  }
  if (/SSL certificate (was sent|error)|client certificate/i.test(text)) {
    return CLIENT_CERTIFICATE_ADVICE;
  }
  if (/Faithfully yours, frp|fatedier\/frp/.test(text)) {
    return [
      `start frpc on the panel's machine, and have its custom_domains name ${url.hostname}: frps, which answers ` +
      "here, has no client for that name",
    ];
  }
  if (/install mode/.test(text)) {
    return [`the panel is not set up yet: open ${url.origin} in a browser`];
  }
  const ofProxy = proxy === undefined ? [] : refusingProxyAdvice(` ${status}`, way);
  if (proxy !== undefined && status !== 403 && status !== 429 && status < 500) return ofProxy;
  // It forwards requests, and may have answered this one itself.
  const isForwarded = url.protocol === "http:" && proxy?.kind === "http" &&
    [403, 502, 503, 504].includes(status);
  if (isForwarded) return [...ofProxy, ...statusAdvice(answer, way)];
  return statusAdvice(answer, way);
}

/** An answer to one of several calls, of which earlier ones were answered: nginx refuses with 503 by default. */
export function asLimit(answer: HttpResponse): HttpResponse {
  return answer.status === 503 ? { ...answer, status: 429 } : answer;
}

const CALL_LIMIT =
  "something there limits requests: raise the limit for /api/clients/ (nginx: limit_req, limit_conn; " +
  "Cloudflare: rate limiting rules)";
const PANEL_DOWN =
  "see on the panel's machine whether the panel runs: it may be down or overloaded";
const MAINTENANCE =
  "see whether the server in front of the panel is in maintenance (nginx: return 503)";
/** Lines on an answer that an agent rules out whose reports go through the same server. */
export const NOT_WHILE_ANSWERED: readonly string[] = [PANEL_DOWN, MAINTENANCE];

/** Advice where a panel is given by its address. */
export function nameAdvice(url: URL): string[] {
  return ipFamily(urlHost(url)) === undefined ? [] : [
    "give the panel's name in place of its address, if it has one: servers tell their sites apart by it",
  ];
}

/** Advice on an answer by its status alone. */
function statusAdvice({ status, text, headers }: HttpResponse, way: Way): string[] {
  const { url } = way;
  if (status === 413) {
    return [
      "let the proxy in front of the panel take larger requests (nginx: client_max_body_size 1m)",
    ];
  }
  if (status === 429) return [CALL_LIMIT];
  if (status === 500) {
    return [
      "the server itself has failed: read the panel's own log, on its machine",
      ...isHtml(text)
        ? ["read the log of the proxy in front of it, too, which may have failed"]
        : [],
    ];
  }
  if (status === 503) {
    // For a panel that is down, nginx has other answers.
    return /<center>(?:nginx|openresty|tengine)/i.test(text) ? [CALL_LIMIT, MAINTENANCE] : [
      PANEL_DOWN,
      "see whether the proxy in front of it answers so by itself, for maintenance or for too many " +
      "requests (nginx: limit_req): its log",
    ];
  }
  if (status === 502 || status === 504) {
    return [
      "the proxy in front of the panel works, and gets no answer from the panel: see there whether " +
      "the panel runs, or is overloaded",
      "see in the log of that proxy whom it asks, and correct that if it is not the panel (nginx: " +
      "proxy_pass)",
    ];
  }
  if (status === 403) {
    return [
      `see from another machine whether it is refused there, too: curl -v ${
        calls(url)
      }; if not, this machine's ` +
      "address is on a list of the server that answers, or of a firewall before it",
      /nginx|openresty|tengine/i.test(headers.get("server") ?? "")
        ? "see there why: nginx -T | grep -n deny, and its error log (access forbidden by rule)"
        : "see its error log for the rule",
      "let /api/clients/ pass there",
    ];
  }
  return [
    ...status >= 300 && status < 400 ? pageAdvice(headers.get("location") ?? "", url) : [],
    `correct the address and its path in ${endpointPlace(way)}, if that is not the panel`,
    ...nameAdvice(url),
    "if the panel is behind that server, have it pass requests on (nginx: server_name, proxy_pass)",
    ...originLook(way),
  ];
}
