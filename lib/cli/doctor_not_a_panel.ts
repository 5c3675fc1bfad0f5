/**
 * What answers in place of a panel, for `doctor`, and where else a panel answers.
 *
 * @module
 */

import { attemptWithin } from "../async/timeout.ts";
import type { HttpResponse } from "../net/http_client.ts";
import { reasonOf, statusError } from "../panel/http_exchange.ts";
import { USER_AGENT } from "../version.ts";
import { type CheckResult, failed } from "./checks.ts";
import {
  answerAdvice,
  answererText,
  isPasswordWall,
  leadsBack,
  NOT_WHILE_ANSWERED,
} from "./doctor_advice.ts";
import { isChallenge } from "./doctor_cloudflare.ts";
import type { PanelCalls } from "./doctor_panel_calls.ts";
import { webFirewall } from "./doctor_web_firewall.ts";
import { usualAddresses, type Way, writeAddress } from "./doctor_way.ts";

/** For calls at other addresses. */
const ELSEWHERE_MS = 2_000;
/** Of a program that everybody lets pass. */
const OTHER_USER_AGENT = "curl/8.5.0";
/** Statuses of a server that knows nothing of a panel at this port. */
const OF_ANOTHER_SERVER = [200, 404, 405];
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
  const isWall = isPasswordWall(response) || isChallenge(response) ||
    webFirewall(response) !== undefined;
  const isLoop = leadsBack(response, url);
  if (status === 403 && !isPasswordWall(response) && !isChallenge(response)) {
    const other = (await calls.unknownMethod(signal, { userAgent: OTHER_USER_AGENT })).status;
    if (other !== status) {
      return failed(
        `${words}; as ${OTHER_USER_AGENT} it gets status ${other}`,
        `a rule in front of the panel refuses the User-Agent ${USER_AGENT}: let it pass there, at least ` +
          "for /api/clients/",
      );
    }
  }
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
  const elsewhere = isWall || isLoop || status >= 500
    ? undefined
    : await panelElsewhere(status, { way, calls, signal });
  if (elsewhere === undefined) {
    return { ...failed(words, ...advice), ruledOutByReports: NOT_WHILE_ANSWERED };
  }
  const write = writeAddress(elsewhere, way);
  if (elsewhere === url.origin) {
    return failed(words, `the panel is at the root of this server: ${write}`);
  }
  if (url.protocol !== "https:" || !elsewhere.startsWith("http:")) {
    return failed(words, `a Komari panel answers at another address: ${write}`);
  }
  return failed(
    `${words}; a Komari panel answers at ${elsewhere}`,
    `have the server at ${url.host} pass calls on to that: proxy_pass in its server block of nginx, ` +
      "reverse_proxy in Caddy",
    ...advice,
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
    : `the answer is status ${status}${reasonOf(text)}, not a Komari panel's`;
}

/**
 * Another address on the same host at which a panel answers; `undefined` where none does. Behind an
 * answer that refuses or leads elsewhere the panel may be at this port.
 */
async function panelElsewhere(
  status: number,
  { way, calls, signal }: { way: Way; calls: PanelCalls; signal: AbortSignal },
): Promise<string | undefined> {
  const { url } = way;
  const others = OF_ANOTHER_SERVER.includes(status) ? usualAddresses(way) : [];
  const all = [
    url.pathname === "/" ? url.origin + USUAL_PATH : url.origin,
    ...others.map(({ address }) => address),
  ];
  const versions = await Promise.all(all.map(async (address) => {
    const ask = (signal: AbortSignal) => calls.version(signal, address);
    return await attemptWithin(ask, { timeoutMs: ELSEWHERE_MS, signal });
  }));
  return all[versions.findIndex((version) => version !== undefined)];
}

/** The error of an answer that is no panel's. */
export function toStatusError(verb: string, { status, text, headers }: HttpResponse): Error {
  return statusError(verb, { status, text, location: headers.get("location") });
}
