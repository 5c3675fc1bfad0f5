/**
 * What answers in place of a panel: a table, of which the first row that fits an answer says what it is
 * and what to do.
 *
 * @module
 */

import { truncate } from "../parse/bounded_text.ts";
import { ipFamily } from "../parse/ip_address.ts";
import { urlHost } from "../parse/probe_target.ts";
import type { Advice, Cause, SeenAnswer, SeenWay } from "./cause.ts";
import { isHtml, reasonOf, redirectPlace } from "./page.ts";
import { refusingProxy } from "./links.ts";

const MAX_ADDRESS_LENGTH = 200;

/** An answer, with the way that it came. */
interface Answered extends SeenAnswer {
  readonly way: SeenWay;
  /** Headers, empty where they are absent. */
  readonly server: string;
  readonly location: string;
}

interface Row {
  readonly id: string;
  is(answer: Answered): boolean | undefined;
  /** What it is, where its status does not say it. */
  readonly says?: string;
  advice(answer: Answered): readonly Advice[];
}

/** The panel's address by a redirect of one of its calls, or by a server that has TLS at this port. */
function movedTo({ status, text, location, way: { url } }: Answered): string | undefined {
  if (/sent to HTTPS port|HTTP request to an HTTPS server/i.test(text)) {
    return `https://${url.host}${url.pathname.replace(/\/$/, "")}`;
  }
  if (status < 300 || status >= 400 || !URL.canParse(location, url)) return undefined;
  const { origin, pathname } = new URL(location, url);
  const end = pathname.indexOf("/api/clients/");
  return end === -1 ? undefined : truncate(origin + pathname.slice(0, end), MAX_ADDRESS_LENGTH);
}

function leadsBack(answer: Answered): boolean {
  return movedTo(answer) === answer.way.url.href.replace(/\/$/, "");
}

function sends({ way }: Answered, name: string): boolean {
  return way.sends.includes(name);
}

function isOne(patterns: readonly RegExp[], text: string): boolean {
  return patterns.some((pattern) => pattern.test(text));
}

/** Of Cloudflare's own pages, by the code that they name or by their status. */
const CLOUDFLARE: Readonly<Record<string, string>> = {
  "1003": "give the panel's name rather than an address of Cloudflare's",
  "1010": "switch Cloudflare's Browser Integrity Check off for /api/clients/: it refuses programs",
  "1015": "raise Cloudflare's rate limit for /api/clients/: Security, WAF, Rate limiting rules",
  "1016": "correct the panel's own server in Cloudflare's DNS: it has no address",
  "1020":
    "correct the rule of Cloudflare's WAF that refuses this machine: Security, Events names it",
  "1033":
    "start cloudflared on the panel's machine: its tunnel is not connected (systemctl status cloudflared)",
  "520":
    "read the log of the panel's own server: it closes Cloudflare's connections, or answers no HTTP",
  "521":
    "see on the panel's machine whether it, or the proxy before it, listens: ss -ltn; its firewall may refuse " +
    "Cloudflare's addresses, too",
  "522":
    "see whether the panel's own server is up, and its firewall lets Cloudflare's addresses pass",
  "523": "correct the address of the panel's own server in Cloudflare's DNS: no way leads to it",
  "524": "see on the panel's machine whether the panel hangs: Cloudflare has waited 100 s for it",
  "525":
    "see whether the panel's own server speaks TLS on port 443; if not, set Cloudflare's SSL/TLS mode to Flexible",
  "526":
    "renew the certificate of the panel's own server, or set Cloudflare's SSL/TLS mode to Full",
  "530":
    "correct the panel's own server in Cloudflare's DNS: Cloudflare can't resolve it, or its tunnel is down",
};

function cloudflareCode({ status, text }: Answered): string {
  const [, code = ""] = /\berror(?: code:)? (1\d{3})\b/i.exec(text) ?? [];
  return code in CLOUDFLARE ? code : String(status);
}

/** Pages that ask for a browser with a person before it, or say that they protect a site. */
const OF_WEB_FIREWALL = [
  /checking (?:if )?your browser|verif\w+ (?:that )?you are (?:a )?human|not a (?:ro)?bot|(?:browser|security) (?:check|verification)|web application firewall|enable javascript and cookies|\bwaf\b|safeline|btwaf|crowdsec/i,
  // In quotes: a literal with such characters would have the whole script take two bytes for each of its own.
  new RegExp(
    "雷池|(?:人机|安全|滑动)(?:身份)?(?:验证|检测|检查)|网站防火墙|请求.{0,20}(?:被|已)拦截",
  ),
];
/** Pages of providers in mainland China that serve no domain without a filing. */
const OF_UNFILED = [
  /Non-compliance ICP Filing|\/webblock\.html|batit\.aliyun|dnspod\.qcloud/i,
  new RegExp("未(?:完成|办理|进行|经)?备案"),
];
/** The longest page that is taken for such a firewall's. */
const MAX_PAGE_LENGTH = 16_384;
/** What the page of a panel says of itself, whose name its owner may have changed. */
const KOMARI = /<(?:title>|meta )[^<]*(?:komari|A simple server monitor tool)/i;

const LIMIT =
  "something there limits requests: raise the limit for /api/clients/ (nginx: limit_req, limit_conn)";

/** The first row that fits says what an answer is. */
const ROWS: readonly Row[] = [
  {
    id: "leads back",
    is: leadsBack,
    says: "redirected to the same address, again and again",
    advice: ({ server, way }) => [
      /cloudflare/i.test(server)
        ? "set Cloudflare's SSL/TLS mode to Full (strict): with Flexible it asks the panel's own server by HTTP, " +
          "which leads back to https://"
        : `have the server answer at ${way.url.origin} rather than lead there (nginx: return 301 in the server of ` +
          "port 80 alone)",
    ],
  },
  {
    id: "moved",
    is: (answer) => movedTo(answer) !== undefined,
    says: "the panel's address is another one",
    advice: (answer) => [
      `${answer.way.places.write(movedTo(answer) ?? "")}`,
    ],
  },
  {
    id: "cloudflare access",
    is: ({ location, text }) =>
      location.includes(".cloudflareaccess.com/") || /Cloudflare Access/i.test(text),
    says: "Cloudflare Access asks for a login",
    advice: (answer) => [
      sends(answer, "cf-access-client-id")
        ? "see there whether the service token that is given has ended, and a policy of the action Service Auth has it"
        : "give --cf-access-client-id and --cf-access-client-secret of a service token, or let /api/clients/ pass there",
    ],
  },
  {
    id: "cloudflare challenge",
    is: ({ headers }) => headers.get("cf-mitigated") === "challenge",
    says: "Cloudflare asks this machine to prove that it is a browser",
    advice: () => [
      "have Cloudflare let /api/clients/ pass: a rule of Security, WAF that skips for that path, and Bot Fight Mode " +
      "off, which knows no exceptions",
      "or give the panel a name that does not go through Cloudflare (DNS only)",
    ],
  },
  {
    id: "cloudflare",
    is: (answer) =>
      cloudflareCode(answer) in CLOUDFLARE &&
      (answer.status >= 520 || /cloudflare/i.test(answer.server)),
    says: "Cloudflare answers in the panel's place",
    advice: (answer) => [CLOUDFLARE[cloudflareCode(answer)]],
  },
  {
    id: "unfiled",
    is: ({ status, text, location, server }) =>
      server === "Beaver" || (status !== 200 && isOne(OF_UNFILED, text)) ||
      isOne(OF_UNFILED, location),
    says: "the provider of that server answers in its place",
    advice: () => [
      "have the domain filed with that provider, which blocks domains without an ICP filing, or have the panel on a " +
      "server outside of mainland China",
    ],
  },
  {
    id: "web firewall",
    is: ({ text, status }) =>
      status === 468 ||
      (isHtml(text) && text.length <= MAX_PAGE_LENGTH && isOne(OF_WEB_FIREWALL, text)),
    says: "a firewall in front of the panel answers in its place",
    advice: () => [
      "have the web firewall there let /api/clients/ pass (white list): no agent can solve what it asks of browsers",
      "or give the panel a name or a port that does not go through it",
    ],
  },
  {
    id: "password",
    is: ({ status, headers, text }) =>
      status === 401 && (headers.has("www-authenticate") || isHtml(text)),
    says: "something in front of the panel asks for a password",
    advice: (answer) => [
      sends(answer, "authorization")
        ? "correct the user and password that --header sends; the token is not the cause"
        : "let /api/clients/ pass without the password, or send it with --header 'Authorization: Basic …'; the token " +
          "is not the cause",
    ],
  },
  {
    id: "client certificate",
    is: ({ text }) => /SSL certificate (was sent|error)|client certificate/i.test(text),
    advice: () => [
      "let /api/clients/ pass without a client's certificate (nginx: ssl_verify_client optional)",
      "if only a CDN in front of the panel has one, use the name that goes through the CDN",
    ],
  },
  {
    id: "frp",
    is: ({ text }) => /Faithfully yours, frp|fatedier\/frp/.test(text),
    advice: ({ way }) => [
      `start frpc on the panel's machine, and have its custom_domains name ${way.url.hostname}`,
    ],
  },
  {
    id: "not set up",
    is: ({ text }) => /install mode/.test(text),
    says: "this Komari panel is not set up yet",
    advice: ({ way }) => [`open ${way.url.origin} in a browser, and set it up`],
  },
  {
    id: "komari page",
    is: ({ status, text }) => status === 200 && isHtml(text) && KOMARI.test(text),
    says: "a Komari panel's page answers, and not its interface for agents",
    advice: ({ way }) => [
      way.url.pathname === "/"
        ? "have the server there pass all paths on to the panel, with /api/, by POST as by GET (nginx: location / " +
          "with proxy_pass)"
        : `have the server there take ${way.url.pathname} off what it passes on to the panel (nginx: a slash at the ` +
          "end of proxy_pass)",
    ],
  },
  {
    id: "proxy",
    is: ({ way, status }) =>
      way.proxy !== undefined &&
      (status === 407 || (way.url.protocol === "http:" && status !== 429)),
    says: "the proxy refuses",
    advice: ({ status, way }) => refusingProxy(` ${status}`, way),
  },
  {
    id: "too large",
    is: ({ status }) => status === 413,
    advice: () => [
      "let the proxy in front of the panel take larger requests (nginx: client_max_body_size 1m)",
    ],
  },
  { id: "limited", is: ({ status }) => status === 429, advice: () => [LIMIT] },
  {
    id: "failed",
    is: ({ status }) => status === 500,
    advice:
      () => ["read the log of the panel, and of the proxy in front of it: one of them has failed"],
  },
  {
    id: "no upstream",
    is: ({ status }) => status === 502 || status === 504,
    advice: () => [
      "the proxy in front of the panel gets no answer from it: see there whether the panel runs, or is overloaded",
      "see in the log of that proxy whom it asks, and correct that if it is not the panel (nginx: proxy_pass)",
    ],
  },
  {
    id: "unavailable",
    is: ({ status }) => status === 503,
    advice: () => [
      LIMIT,
      "see on the panel's machine whether the panel runs, and whether the server in front of it is in maintenance: " +
      "its log",
    ],
  },
  {
    id: "forbidden",
    is: ({ status }) => status === 403,
    advice: ({ way: { url } }) => [
      `see from another machine whether it is refused there, too: curl -v ${
        url.href.replace(/\/$/, "")
      }` +
      "/api/clients/v2/rpc; if not, this machine's address is on a list there",
      "see there why, and let /api/clients/ pass: nginx -T | grep -n deny, and its error log",
    ],
  },
  {
    id: "login page",
    is: ({ status, location }) => status >= 300 && status < 400 && location !== "",
    advice: ({ way }) => [
      "if it is a login page in front of the panel, let /api/clients/ pass without it",
      `correct the address and its path in ${way.places.endpoint}, if that is not the panel`,
    ],
  },
  {
    id: "no panel",
    is: () => true,
    advice: ({ way }) => [
      `correct the address and its path in ${way.places.endpoint}, if that is not the panel`,
      ipFamily(urlHost(way.url)) !== undefined &&
      "give the panel's name in place of its address, if it has one: servers tell their sites apart by it",
      "if the panel is behind that server, have it pass requests on (nginx: server_name, proxy_pass)",
    ],
  },
];

/** These rows as causes. */
export const ANSWER_CAUSES: readonly Cause[] = ROWS.map((row) => ({
  id: row.id,
  stages: ["answer", "websocket"],
  is: (seen, way) => seen.answer !== undefined && row.is(answered(seen.answer, way)) === true,
  reason: ({ answer }, way) => answer === undefined ? "" : answerText(answered(answer, way), row),
  actions: ({ answer }, way) => answer === undefined ? [] : row.advice(answered(answer, way)),
}));

function answered(answer: SeenAnswer, way: SeenWay): Answered {
  const { headers } = answer;
  const [server, location] = [headers.get("server") ?? "", headers.get("location") ?? ""];
  return { ...answer, server, location, way };
}

/** What an answer is, and by which server. */
function answerText({ status, text, location, server }: Answered, { says }: Row): string {
  const reason = status >= 300 && status < 400
    ? `redirected to ${redirectPlace(location)}`
    : `status ${status}${reasonOf(text)}`;
  const by = server === "" ? "" : `, by "${truncate(server, 40)}"`;
  const said = says === undefined
    ? `the answer is ${reason}, not a Komari panel's`
    : `${says} (${reason.replace(/ \([^()]*\?\)$/, "")})`;
  return said + by;
}

/** The address that an answer names as the panel's. */
export function movedAddress(answer: SeenAnswer, way: SeenWay): string | undefined {
  return movedTo(answered(answer, way));
}
