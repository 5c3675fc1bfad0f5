/**
 * What an answer in place of a panel's tells.
 *
 * @module
 */

import { foreignWords } from "../parse/bounded_text.ts";
import type { SeenAnswer, SeenWay } from "./cause.ts";
import { isHtml, reasonOf, redirectPlace } from "./page.ts";

/** An answer, with the way that it came. */
export interface Answered extends SeenAnswer {
  readonly way: SeenWay;
  /** Headers, empty where they are absent. */
  readonly server: string;
  readonly location: string;
}

export function answered(answer: SeenAnswer, way: SeenWay): Answered {
  const { headers } = answer;
  const [server, location] = [headers.get("server") ?? "", headers.get("location") ?? ""];
  return { ...answer, server, location, way };
}

/** Status, words and server of an answer. */
export function answerText({ status, text, location, server }: Answered): string {
  const by = server === "" ? "" : `, by "${foreignWords(server, 40)}"`;
  return status >= 300 && status < 400
    ? `redirected to ${redirectPlace(location)}${by}`
    : `status ${status}${reasonOf(text)}${by}`;
}

/** An address without the slash at its end, as it is configured. */
export function panelAddress(url: URL, protocol = url.protocol): string {
  return `${protocol}//${url.host}${url.pathname.replace(/\/$/, "")}`;
}

/** An address that a shell takes for one word, since people copy it behind `-e`. */
const PLAIN_ADDRESS = /^[\w:/.~%[\]-]{1,200}$/;

/** The panel's address by a redirect of one of its calls, or by a server that speaks TLS at this port. */
export function movedTo({ status, text, location, way: { url } }: Answered): string | undefined {
  if (/sent to HTTPS port|HTTP request to an HTTPS server/i.test(text)) {
    return panelAddress(url, "https:");
  }
  if (status < 300 || status >= 400 || !URL.canParse(location, url)) return undefined;
  const { origin, pathname } = new URL(location, url);
  const address = origin + pathname.slice(0, pathname.indexOf("/api/clients/"));
  return pathname.includes("/api/clients/") && PLAIN_ADDRESS.test(address) ? address : undefined;
}

/** What to do about Cloudflare's own pages, by the code that they name or by their status. */
const CLOUDFLARE: Readonly<Record<string, string>> = {
  "1003": "give the panel's name rather than an address of Cloudflare's",
  "1010": "switch Cloudflare's Browser Integrity Check off for /api/clients/: it refuses programs",
  "1015": "raise Cloudflare's rate limit for /api/clients/: Security, WAF, Rate limiting rules",
  "1016": "correct the panel's own server in Cloudflare's DNS: it has no address",
  "1020":
    "correct the rule of Cloudflare's WAF that refuses this machine: Security, Events names it",
  "1033":
    "start cloudflared on the panel's machine (its tunnel is down): systemctl status cloudflared",
  "520":
    "read the log of the panel's own server: it closes Cloudflare's connections, or does not answer in HTTP",
  "521":
    "see on the panel's machine whether it, or the proxy in front of it, listens (ss -ltn) and lets Cloudflare's addresses in",
  "522":
    "see whether the panel's own server is up, and its firewall lets Cloudflare's addresses in",
  "523":
    "correct the address of the panel's own server in Cloudflare's DNS: there is no route to it",
  "524": "see on the panel's machine whether the panel hangs: Cloudflare has waited 100 s for it",
  "525":
    "have the panel's own server speak TLS on port 443, or set Cloudflare's SSL/TLS mode to Flexible",
  "526":
    "renew the certificate of the panel's own server, or set Cloudflare's SSL/TLS mode to Full",
  "530":
    "correct the panel's own server in Cloudflare's DNS: it can't be resolved, or its tunnel is down",
};

/** The advice on a page of Cloudflare's own; `undefined` for another one. */
export function cloudflareAdvice({ status, text, server }: Answered): string | undefined {
  const isBlocked = /you have been blocked|to restrict access/i.test(text);
  const [, code = ""] = /\berror(?: code:)? (1\d{3})\b/i.exec(text) ?? [];
  const isItsOwn = status >= 520 || /cloudflare/i.test(server);
  return isItsOwn ? CLOUDFLARE[code] ?? CLOUDFLARE[isBlocked ? "1020" : status] : undefined;
}

/** Pages that ask for a browser with a person before it, or say that they protect a site. */
const OF_WEB_FIREWALL = [
  /checking (?:if )?your browser|verif\w{1,6} (?:that )?you are (?:a )?human|not a (?:ro)?bot|(?:browser|security) (?:check|verification)|web application firewall|enable javascript and cookies|\bwaf\b|safeline|btwaf|crowdsec/i,
  // In quotes: a literal with such characters would have the whole script take two bytes for each of its own.
  new RegExp(
    "雷池|(?:人机|安全|滑动)(?:身份)?(?:验证|检测|检查)|网站防火墙|请求.{0,20}(?:被|已)拦截",
  ),
];
/** The longest page that is taken for such a firewall's. */
const MAX_PAGE_LENGTH = 16_384;
/** What the page of a panel says of itself, whose name its owner may have changed. */
const KOMARI = /<(?:title>|meta )[^<]*(?:komari|A simple server monitor tool)/i;

/** Tests of answers, by the names that the table has for them. */
export const ANSWER_TESTS: Readonly<Record<string, (answer: Answered) => boolean>> = {
  "leads back": (answer) => movedTo(answer) === panelAddress(answer.way.url),
  "by Cloudflare": ({ server }) => /cloudflare/i.test(server),
  moved: (answer) => movedTo(answer) !== undefined,
  redirect: ({ status, location }) => status >= 300 && status < 400 && location !== "",
  Access: ({ location, text }) =>
    location.includes(".cloudflareaccess.com/") || /Cloudflare Access/i.test(text),
  challenge: ({ headers }) => headers.get("cf-mitigated") === "challenge",
  "Cloudflare's page": (answer) => cloudflareAdvice(answer) !== undefined,
  "web firewall": ({ text, status }) =>
    status === 468 ||
    (isHtml(text) && text.length <= MAX_PAGE_LENGTH &&
      OF_WEB_FIREWALL.some((pattern) => pattern.test(text))),
  password: ({ status, headers, text }) =>
    status === 401 && (headers.has("www-authenticate") || isHtml(text)),
  "sends authorization": ({ way }) => way.sends.includes("authorization"),
  "sends cf-access-client-id": ({ way }) => way.sends.includes("cf-access-client-id"),
  "Komari's page": ({ status, text }) => status === 200 && isHtml(text) && KOMARI.test(text),
  "no path": ({ way }) => way.url.pathname === "/",
};

/** A refusal of an HTTP proxy, in the words of the proxies that open tunnels; `undefined` for another answer. */
export function proxyRefusal({ status, way }: Answered): string | undefined {
  if (way.proxy === undefined) return undefined;
  const isForwarded = way.url.protocol === "http:" && [403, 502, 503, 504].includes(status);
  return status === 407 || isForwarded ? `the proxy answers ${status}` : undefined;
}
