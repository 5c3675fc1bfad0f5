/**
 * Firewalls of the web that answer in place of a panel, for `doctor`: by what their pages and headers say.
 *
 * @module
 */

import type { HttpResponse } from "../net/http_client.ts";
import { isHtml } from "../panel/http_exchange.ts";

/** Pages of firewalls are short; others may speak of firewalls. */
const MAX_PAGE_LENGTH = 16_384;

/** Statuses that no other server has. */
const OWN_STATUSES: Readonly<Record<number, string>> = {
  468: "SafeLine",
  566: "Tencent Cloud",
  567: "Tencent Cloud",
};

/** What only the pages of one firewall have, and in their headers what it answers or lets pass. */
const MARKS: readonly (readonly [name: string, mark: RegExp])[] = [
  ["SafeLine", /safeline|slg-(?:box|bg)|chaitin|雷池/i],
  ["宝塔 WAF", /btwaf|\/(?:renji|huadong)_[\da-f]|<title>\s*网站防火墙/i],
  ["1Panel WAF", /1panel waf|1pwaf/i],
  ["Alibaba Cloud WAF", /errors\.aliyun\.com|acw_sc__v|aliyun_waf|alicdn\.com\/sd-base\//i],
  ["Tencent Cloud", /waf\.tencent|eo_bot_ssid|tencentedgeone|t-sec-waf/i],
  ["Baidu Yunjiasu", /yunjiasu/i],
  ["Knownsec", /jsl_clearance|jiasule|365cyd|yunaq/i],
  ["SafeDog", /safedog/i],
  ["Yunsuo", /yunsuo/i],
  ["360", /360wzws|zhuji\.360|qianxin-waf/i],
  ["AWS WAF", /awswaf|x-amzn-waf/i],
  ["Anubis", /anubis_challenge|within\.website\/x/i],
  ["DDoS-Guard", /ddos-guard/i],
  ["Imperva", /_incapsula_resource|x-iinfo/i],
  ["Sucuri", /sucuri/i],
  ["CrowdSec", /crowdsec/i],
  ["BunkerWeb", /bunkerweb/i],
  ["ModSecurity", /mod_security|modsecurity/i],
];

/** How pages speak that ask for a browser with a person before it, or say that they protect a site. */
const OF_FIREWALL =
  /checking (?:if )?your browser|verif\w+ (?:that )?you are (?:a )?human|you(?:'|’|&#39;)?re not a (?:ro)?bot|are you (?:a )?human|(?:browser|security) (?:check|verification)|web application firewall|enable javascript and cookies|(?:人机|安全|滑动)(?:身份)?(?:验证|检测|检查)|网站防火墙|请求.{0,20}(?:被|已)拦截/i;

/** The page of a provider in mainland China that serves no domain without a filing. */
const OF_UNFILED =
  /Non-compliance ICP Filing|未(?:完成|办理|进行)?备案|\/webblock\.html|batit\.aliyun\.com|block\.dnspod|未经备案/i;

/** Whether the provider of a server has answered in its place, since its domain has no ICP filing. */
export function isUnfiled({ status, text, headers }: HttpResponse): boolean {
  return headers.get("server") === "Beaver" || status !== 200 && OF_UNFILED.test(text) ||
    OF_UNFILED.test(headers.get("location") ?? "");
}

/** Advice about such an answer. */
export const UNFILED_ADVICE = [
  "have the domain filed with the provider of that server, which blocks domains without an ICP filing",
  "or have the panel on a server outside of mainland China",
];

/** A firewall that answers by itself, with its name where that is known. */
export interface WebFirewall {
  readonly name: string | undefined;
}

/** The firewall that an answer comes from; `undefined` where it is none's. */
export function webFirewall({ status, text, headers }: HttpResponse): WebFirewall | undefined {
  const page = isHtml(text) && text.length <= MAX_PAGE_LENGTH ? text : "";
  const nameIn = (where: string) => MARKS.find(([, mark]) => mark.test(where))?.[0];
  const name = OWN_STATUSES[status] ?? nameIn(page);
  if (name !== undefined) return { name };
  if (!OF_FIREWALL.test(page) && !headers.has("x-amzn-waf-action")) return undefined;
  return { name: nameIn([...headers].flat().join(" ")) };
}

/** Advice about an answer of a firewall's own. */
export const WEB_FIREWALL_ADVICE = [
  "have the web firewall there let /api/clients/ pass, by an exception (white list) for that path: no agent can " +
  "solve what it asks of browsers",
  "or give the panel a name or a port that does not go through it",
];
