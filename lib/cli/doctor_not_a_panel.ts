/**
 * What answers in place of a panel, for `doctor`, and where else a panel answers.
 *
 * @module
 */

import type { HttpResponse } from "../net/http_client.ts";
import { isHtml, reasonOf, statusError } from "../panel/http_exchange.ts";
import { USER_AGENT } from "../version.ts";
import { type CheckResult, failed } from "./checks.ts";
import {
  answerAdvice,
  answererText,
  isPasswordWall,
  leadsBack,
  movedTo,
  nameAdvice,
  NOT_WHILE_ANSWERED,
} from "./doctor_advice.ts";
import { isChallenge } from "./doctor_cloudflare.ts";
import { panelAmong, type PanelCalls } from "./doctor_panel_calls.ts";
import { isUnfiled, webFirewall } from "./doctor_web_firewall.ts";
import { usualAddresses, type Way } from "./doctor_way.ts";
import { losesTls, writeAddress } from "./doctor_options.ts";

/** Of a program that everybody lets pass. */
const OTHER_USER_AGENT = "curl/8.5.0";
/** Statuses of a server that knows nothing of a panel at this port. */
const OF_ANOTHER_SERVER = [200, 404, 405];
/** What the page of a panel says of itself, whose name its owner may have changed. */
const KOMARI = /<(?:title>|meta )[^<]*(?:komari|A simple server monitor tool)/i;
/** Where panels are that share a server with other sites. */
const USUAL_PATH = "/komari";

/** Says what has answered in place of a panel, with the first line of its page. */
export async function notAPanel(
  response: HttpResponse,
  { way, calls, signal }: { way: Way; calls: PanelCalls; signal: AbortSignal },
): Promise<CheckResult> {
  const { status, text } = response;
  const { url } = way;
  const words = wordsOf(response, url) + answererText(response, way);
  const isLoop = leadsBack(response, url);
  const isAsked = isPasswordWall(response) || isChallenge(response) || isUnfiled(response);
  if (status === 403 && !isAsked) {
    const other = (await calls.unknownMethod(signal, { userAgent: OTHER_USER_AGENT })).status;
    if (other !== status) {
      return failed(
        `${words}; as ${OTHER_USER_AGENT} it gets status ${other}`,
        `a rule in front of the panel refuses the User-Agent ${USER_AGENT}: let it pass there, at least ` +
          "for /api/clients/",
      );
    }
  }
  const isWall = isAsked || webFirewall(response) !== undefined;
  const isRefused = !isWall && !isLoop && [200, 302, 303, 307, 403, 404, 405].includes(status);
  const version = isRefused ? await calls.version(signal) : undefined;
  if (version !== undefined) {
    return failed(
      `a Komari panel answers here (${version}), and its calls are refused: status ${status}` +
        reasonOf(text) + answererText(response, way),
      "let /api/clients/ pass in what is in front of the panel, by POST as by GET",
    );
  }
  const advice = answerAdvice(response, way);
  const moved = isLoop ? undefined : movedTo(response, url);
  const isSite = moved !== undefined || isRefused && isOfSite(response);
  const [elsewhere, { response: page, failure } = {}] = await Promise.all([
    isWall || isLoop || status >= 500
      ? undefined
      : panelAmong(moved === undefined ? addresses(status, way) : [moved], { calls, signal }),
    isSite ? calls.page(signal, moved) : undefined,
  ]);
  // A page elsewhere is shown whatever it is, and one here in place of the refusal of a call.
  const isShown = page !== undefined &&
    (moved !== undefined || page.status === 200 && isHtml(page.text) && status !== 200);
  const isKomari = isOfKomari(isShown ? page : response);
  const got = isShown &&
    `GET ${moved ?? url.href} answers status ${page.status}${reasonOf(page.text)}` +
      (moved === undefined ? answererText(page, way) : "");
  const shown = isKomari ? `${got}` : `${got}, not a Komari panel's`;
  const ofPage = !isShown
    ? words
    : moved === undefined
    ? `${shown}; an agent's call gets status ${status}`
    : `${wordsOf(response, url)}; ${shown}`;
  if (elsewhere !== undefined) {
    return foundElsewhere(elsewhere, { words, ofPage, moved, advice, way });
  }
  if (moved === undefined && isKomari) {
    return failed(
      ofPage,
      url.pathname === "/"
        ? "have the server there pass all paths on to the panel, with /api/, by POST as by GET (nginx: location " +
          "/ with proxy_pass)"
        : `have the server there take ${url.pathname} off what it passes on to the panel (nginx: a slash at the ` +
          "end of proxy_pass)",
    );
  }
  if (moved !== undefined) {
    const then = `repair that first, and then ${writeAddress(moved, way)}`;
    if (page === undefined) {
      return failed(`${words}; there: ${failure}`, ...nameAdvice(url), then);
    }
    const ofMoved = answerAdvice(page, { ...way, url: new URL(moved) });
    const isOther = OF_ANOTHER_SERVER.includes(page.status);
    return failed(ofPage, ...ofMoved, isOther ? undefined : then);
  }
  return { ...failed(ofPage, ...advice), ruledOutByReports: NOT_WHILE_ANSWERED };
}

/** Another address at which a panel answers, as by a redirect, at the root of the server or at another port. */
function foundElsewhere(
  elsewhere: string,
  { words, ofPage, moved, advice, way }: {
    words: string;
    /** The same with the page that is there. */
    ofPage: string;
    moved: string | undefined;
    advice: readonly string[];
    way: Way;
  },
): CheckResult {
  const { url } = way;
  const write = writeAddress(elsewhere, way);
  if (elsewhere === moved) {
    return failed(`${words}; a Komari panel answers at ${moved}`, write);
  }
  if (elsewhere === url.origin) {
    return failed(words, `the panel is at the root of this server: ${write}`);
  }
  if (!losesTls(elsewhere, way)) {
    return failed(words, `a Komari panel answers at another address: ${write}`);
  }
  return failed(
    `${ofPage}; a Komari panel answers at ${elsewhere}`,
    `have the server at ${url.host} pass calls on to that: proxy_pass in its server block of nginx, ` +
      "reverse_proxy in Caddy",
    ...advice.slice(0, 1),
    `else ${write}`,
  );
}

/** What has answered, by its status, and the first line of its page. */
function wordsOf(response: HttpResponse, url: URL): string {
  const { status, text } = response;
  if (isPasswordWall(response)) {
    return `something in front of the panel asks for a password (status 401${reasonOf(text)})`;
  }
  if (isChallenge(response)) {
    return `Cloudflare asks this machine to prove that it is a browser (status ${status})`;
  }
  const firewall = webFirewall(response);
  if (firewall !== undefined) {
    const answerer = firewall.name === undefined
      ? "a firewall in front of the panel"
      : `a firewall in front of the panel (${firewall.name})`;
    return `${answerer} answers in its place: status ${status}${reasonOf(text)}`;
  }
  if (leadsBack(response, url)) {
    return `redirected to the same address, again and again (status ${status})`;
  }
  if (status >= 300 && status < 400) return toStatusError("call the panel", response).message;
  return /install mode/.test(text)
    ? `this Komari panel is not set up yet (status ${status}${reasonOf(text)})`
    : isOfKomari(response)
    ? `a Komari panel's page answers, and not its interface for agents`
    : status === 429
    ? `the answer is status ${status}${reasonOf(text)}`
    : `the answer is status ${status}${reasonOf(text)}, not a Komari panel's`;
}

/** Whether a panel has answered by its page. */
function isOfKomari({ status, text }: HttpResponse): boolean {
  return status === 200 && isHtml(text) && KOMARI.test(text);
}

/** Whether a server has answered as one that knows nothing of a panel, or as a site that takes no calls. */
function isOfSite({ status, text }: HttpResponse): boolean {
  return OF_ANOTHER_SERVER.includes(status) && !/install mode/.test(text);
}

/** Other addresses on the same host. Behind an answer that refuses or leads elsewhere the panel may be at this port. */
function addresses(status: number, way: Way): string[] {
  const { url } = way;
  const others = OF_ANOTHER_SERVER.includes(status) ? usualAddresses(way) : [];
  return [
    url.pathname === "/" ? url.origin + USUAL_PATH : url.origin,
    ...others.map(({ address }) => address),
  ];
}

/** The error of an answer that is no panel's. */
export function toStatusError(verb: string, { status, text, headers }: HttpResponse): Error {
  return statusError(verb, { status, text, location: headers.get("location") });
}
