/**
 * The chain of checks of `doctor` between this machine and one panel, and its upper links: what
 * answers there, the token, WebSockets, clock and round trip.
 *
 * @module
 */

import { withTimeout } from "../async/timeout.ts";
import type { Config } from "../config/config.ts";
import { roundMs } from "../log/log.ts";
import type { HttpResponse } from "../net/http_client.ts";
import { isHtml, reasonOf, statusError } from "../panel/http_exchange.ts";
import { urlHost } from "../parse/probe_target.ts";
import type { UnitSetting } from "../service/loaded_unit.ts";
import { type Check, check, type CheckResult, result } from "./checks.ts";
import { answerAdvice, answererText, isPasswordWall } from "./doctor_advice.ts";
import { clockAdvice, clockDifference } from "./doctor_clock.ts";
import { isChallenge } from "./doctor_cloudflare.ts";
import { USER_AGENT } from "../version.ts";
import { checkName } from "./doctor_name.ts";
import { readFile } from "./doctor_name_servers.ts";
import { checkNetwork } from "./doctor_network.ts";
import { checkConnection } from "./doctor_connection.ts";
import { isRpcAnswer, PanelCalls } from "./doctor_panel_calls.ts";
import { deviceTo, largestPing } from "./doctor_route.ts";
import { checkTls } from "./doctor_tls.ts";
import { tokenResult, type TokenState } from "./doctor_token.ts";
import { FURTHER_CONNECTIONS, PINGS, slowConnections } from "./doctor_loss.ts";
import { endpointPlace, failureText, firstHop, type Way, wayTo, withDoubts } from "./doctor_way.ts";

/** For the calls that find out what answers. */
const CALL_TIMEOUT_MS = 7_000;
const MAX_ROUND_TRIP_MS = 1_000;
/** Of a program that everybody lets pass. */
const OTHER_USER_AGENT = "curl/8.5.0";
/** More than fits into one packet, as reports with many values are. */
const LARGE_REQUEST_BYTES = 4_000;
const MAX_CLOCK_ERROR_MS = 30_000;

/**
 * The links of the chain to a panel, in the order in which they need each other.
 *
 * @param options `unreadableConfig` is the file of an installed service that is not for this user,
 * `unit` the settings of the service as which the checks run.
 */
export function panelChain(
  config: Config,
  { unreadableConfig, unit = [] }: {
    unreadableConfig?: string | undefined;
    unit?: readonly UnitSetting[];
  } = {},
): readonly Check[] {
  if (config.endpoint === "") return [check("panel", "Panel", () => noPanel(unreadableConfig))];
  const way = wayTo(config, unit);
  const panel = new PanelCheck(way);
  return [
    check("network", "Network", (signal) => checkNetwork(way, signal)),
    check("dns", "Name resolution", (signal) => checkName(way, signal)),
    check("connect", "TCP connection", (signal) => withDoubts(way, checkConnection(way, signal))),
    check("tls", "TLS", (signal) => withDoubts(way, checkTls(way, signal))),
    check("panel", "Panel", (signal) => withDoubts(way, panel.call(signal))),
    check("clock", "Clock", () => panel.clock()),
    check("round_trip", "Round trip", (signal) => panel.measureRoundTrip(signal)),
    check("token", "Token", () => panel.token()),
    check("websocket", "WebSocket", (signal) => panel.upgrade(signal)),
  ];
}

async function noPanel(unreadableConfig: string | undefined): Promise<CheckResult> {
  if (unreadableConfig !== undefined) {
    const { isMissing, isDenied } = await readFile(unreadableConfig);
    if (isMissing) {
      return result(
        "failed",
        `the service's configuration ${unreadableConfig} is not there: no such file`,
        "put it back, or make it anew: sudo komari-agent-deno install -e URL -t TOKEN",
      );
    }
    if (isDenied) {
      return result(
        "warning",
        `not checked: this user can't read ${unreadableConfig}, the service's configuration`,
        "run it as root (sudo)",
      );
    }
  }
  return result("failed", "no panel is configured", "give -e URL and -t TOKEN, or --config FILE");
}

class PanelCheck {
  readonly #way: Way;
  readonly #calls: PanelCalls;
  #version: 1 | 2 = 2;
  #token: TokenState = "refused";
  /** What the panel has said to refuse the token. */
  #refusal = "";

  constructor(way: Way) {
    this.#way = way;
    this.#calls = new PanelCalls(way);
  }

  /** Finds out which protocol the panel speaks, and whether it accepts the token. */
  async call(signal: AbortSignal): Promise<CheckResult> {
    try {
      const call = (signal: AbortSignal) => this.#findProtocol(signal);
      return await withTimeout(call, { timeoutMs: CALL_TIMEOUT_MS, signal });
    } catch (error) {
      signal.throwIfAborted();
      const { href, hostname } = this.#way.url;
      const message = failureText(error);
      if (/is not HTTP/.test(message)) {
        const advice = `no web server listens there: correct the port in ${
          endpointPlace(this.#way)
        }`;
        return result("failed", `${message}, once connected`, advice);
      }
      return result(
        "failed",
        `${message}, once connected`,
        `see whether a request is answered, and by HTTP/1.1 as this agent's: curl --http1.1 -v ${href}`,
        /closed without an answer/.test(message)
          ? `see whether the proxy in front of the panel knows the name ${hostname} (nginx: server_name; ` +
            "return 444 closes so)"
          : undefined,
        "see on the panel's machine whether it still works, and the log of a proxy in front of it",
      );
    }
  }

  async #findProtocol(signal: AbortSignal): Promise<CheckResult> {
    const answer = await this.#calls.unknownMethod(signal);
    // Usually it says that there is no such method; any other answer proves the same.
    const byVersion2 = tokenBy(answer, isRpcAnswer(answer));
    if (byVersion2 !== undefined) return await this.#found(2, byVersion2, { answer, signal });
    if (!isNoPanelOfVersion2(answer)) return await this.#notAPanel(answer, signal);
    const tasks = await this.#calls.request("GET", "/api/clients/ping/tasks", { signal });
    const isList = tasks.status === 200 && /^\s*(\[|null)/.test(tasks.text);
    const byVersion1 = tokenBy(tasks, isList);
    if (byVersion1 !== undefined) {
      return await this.#found(1, byVersion1, { answer: tasks, signal });
    }
    // Where something takes no POST, the page that answers GET may be the panel's own.
    const shown = answer.status === 405 && !isPasswordWall(tasks) ? answer : tasks;
    return await this.#notAPanel(shown, signal);
  }

  /** Keeps what a panel has answered, and names its version and protocol. */
  async #found(
    protocol: 1 | 2,
    token: TokenState,
    { answer, signal }: { answer: HttpResponse; signal: AbortSignal },
  ): Promise<CheckResult> {
    this.#version = protocol;
    this.#token = this.#way.config.token === "" ? "missing" : token;
    if (this.#token === "refused") {
      this.#refusal = reasonOf(answer.text);
      if (await this.#calls.takesTokenInBody(signal)) this.#token = "dropped";
    }
    const version = await this.#calls.version(signal);
    const name = version === undefined ? "Komari" : `Komari ${version}`;
    return result("ok", `${name}, protocol version ${protocol}`);
  }

  /** Says what has answered in place of a panel, with the first line of its page. */
  async #notAPanel(response: HttpResponse, signal: AbortSignal): Promise<CheckResult> {
    const { status, text } = response;
    const { url } = this.#way;
    const words = isPasswordWall(response)
      ? `something in front of the panel asks for a password (status 401${reasonOf(text)})`
      : isChallenge(response)
      ? `Cloudflare asks this machine to prove that it is a browser (status ${status})`
      : status >= 300 && status < 400
      ? toStatusError("call the panel", response).message
      : /install mode/.test(text)
      ? `this Komari panel is not set up yet (status ${status}${reasonOf(text)})`
      : `the answer is status ${status}${reasonOf(text)}, not a Komari panel's`;
    const answerer = answererText(response, this.#way);
    if (status === 403 && !isChallenge(response)) {
      const other = await this.#statusOfOthers(signal);
      if (other !== status) {
        return result(
          "failed",
          `${words}${answerer}; as ${OTHER_USER_AGENT} it gets status ${other}`,
          `a rule in front of the panel refuses the User-Agent ${USER_AGENT}: let it pass there, at least ` +
            "for /api/clients/",
        );
      }
    }
    const hasPath = url.pathname !== "/" && !isPasswordWall(response);
    if (hasPath && await this.#calls.version(signal, url.origin) !== undefined) {
      const advice = `the panel is at the root of this server: write ${url.origin} into ${
        endpointPlace(this.#way)
      }`;
      return result("failed", words + answerer, advice);
    }
    const isRefused = !isChallenge(response) &&
      [200, 302, 303, 307, 403, 404, 405].includes(status);
    const version = isRefused ? await this.#calls.version(signal) : undefined;
    if (version !== undefined) {
      return result(
        "failed",
        `a Komari panel answers here (${version}), and its calls are refused: status ${status}` +
          reasonOf(text) + answerer,
        "let /api/clients/ pass in what is in front of the panel, by POST as by GET",
      );
    }
    return result("failed", words + answerer, ...answerAdvice(response, this.#way));
  }

  /** The status of the same call as another program, which some firewalls let pass. */
  async #statusOfOthers(signal: AbortSignal): Promise<number> {
    return (await this.#calls.unknownMethod(signal, { userAgent: OTHER_USER_AGENT })).status;
  }

  token(): CheckResult {
    const isInHeader = this.#calls.tokenPlace === "header";
    return this.#registersItself ? REGISTERS_ITSELF : tokenResult(this.#way, {
      token: this.#token,
      refusal: this.#refusal,
      isInHeader,
    });
  }

  get #registersItself(): boolean {
    return this.#token === "missing" && this.#way.config.autoDiscoveryKey !== "";
  }

  async upgrade(signal: AbortSignal): Promise<CheckResult> {
    if (this.#way.config.transport === "http") {
      return result("skipped", "not used: --transport http");
    }
    if (this.#version === 1) return result("skipped", "not used on panels of version 1");
    if (this.#registersItself) return REGISTERS_ITSELF;
    try {
      const response = await this.#calls.upgrade(signal);
      if (response.headers.has("sec-websocket-version")) {
        return result("ok", "upgrade requests reach the panel");
      }
      const answerer = answererText(response, this.#way);
      const reason = toStatusError("upgrade", response).message.replace(/^Cannot upgrade: /, "");
      // It refuses any call, and says nothing of WebSockets.
      if (REFUSALS.includes(response.status)) {
        const advice = answerAdvice(response, this.#way);
        return result(
          "warning",
          `the request for one was refused: ${reason}${answerer}`,
          ...advice,
        );
      }
      return blocked(
        (response.text.includes("Require WebSocket upgrade")
          ? "the Upgrade header is removed on the way"
          : reason) + answerer,
      );
    } catch (error) {
      signal.throwIfAborted();
      return blocked(failureText(error));
    }
  }

  clock(): CheckResult {
    const errorMs = this.#calls.clockErrorMs;
    if (errorMs === undefined) return result("skipped", "the panel sends no date");
    // The header has whole seconds.
    if (Math.abs(errorMs) < 1_500) {
      return result("ok", "the same as the panel's");
    }
    const difference = clockDifference(errorMs);
    const text = errorMs > 0
      ? `${difference} behind the panel's`
      : `${difference} ahead of the panel's`;
    if (Math.abs(errorMs) <= MAX_CLOCK_ERROR_MS) return result("ok", text);
    return result("warning", text, ...clockAdvice());
  }

  /** A finding where pings are lost, and connections take as long as a lost packet costs. */
  async #lossOn(text: string, signal: AbortSignal): Promise<CheckResult | undefined> {
    const lost = await this.#way.pings?.catch(() => undefined) ?? 0;
    if (lost === 0) return undefined;
    const { host, port } = firstHop(this.#way);
    const address = this.#way.addresses[0] ?? host;
    const slow = await slowConnections(address, { port, signal });
    return slow === 0 ? undefined : result(
      "warning",
      `${text}; ${lost} of ${PINGS} pings are lost, and ${slow} of ${FURTHER_CONNECTIONS} connections take ` +
        "over 1 s: packets are lost on the way",
      `see where packets are lost, which are sent again after 1 s and 3 s: ping -c 20 ${address}`,
    );
  }

  /** Measures a small call, over the connection of the calls before, and then tries a large one. */
  async measureRoundTrip(signal: AbortSignal): Promise<CheckResult> {
    const startedAtMs = performance.now();
    const small = await this.#calls.unknownMethod(signal);
    const ms = performance.now() - startedAtMs;
    const text = `${roundMs(ms)} ms`;
    try {
      const large = await this.#calls.unknownMethod(signal, { padding: LARGE_REQUEST_BYTES });
      const limited = [small, large].find(({ status }) => status === 429);
      if (limited !== undefined) {
        const text = `further calls are refused: status 429${reasonOf(limited.text)}`;
        const advice = answerAdvice(limited, this.#way);
        return result("warning", text + answererText(limited, this.#way), ...advice);
      }
      if (large.status !== small.status) {
        return result(
          "failed",
          `a small request is answered in ${text}, and one of ${LARGE_REQUEST_BYTES} bytes with ` +
            `status ${large.status}${reasonOf(large.text)}${answererText(large, this.#way)}`,
          ...answerAdvice(large, this.#way),
        );
      }
    } catch (error) {
      signal.throwIfAborted();
      const address = this.#way.addresses[0] ?? firstHop(this.#way).host;
      return result(
        "failed",
        `a small request is answered in ${text}, and one of ${LARGE_REQUEST_BYTES} bytes is not: ` +
          failureText(error),
        `see whether large packets are lost on the way out: ${largestPing(address)} ` +
          `${urlHost(this.#way.url)}; then a smaller MTU helps: ip link set dev ${
            deviceTo(address)
          } mtu 1280`,
        "see in the log of a proxy in front of the panel what it makes of larger requests",
      );
    }
    const lossy = await this.#lossOn(text, signal);
    if (lossy !== undefined) return lossy;
    if (ms <= MAX_ROUND_TRIP_MS) return result("ok", text);
    const { host } = this.#way.url;
    return result(
      "warning",
      text,
      `see whether the way is slow: ping -c 5 ${host.replace(/:\d+$/, "")}`,
      "see on the panel's machine whether it is overloaded: top",
    );
  }
}

const REGISTERS_ITSELF = result("skipped", "not checked: this node registers itself");

/** Statuses by which something refuses a call whatever it asks for. */
const REFUSALS: readonly number[] = [401, 403, 429];

function blocked(reason: string): CheckResult {
  return result(
    "warning",
    `blocked: ${reason}; reports can only go by HTTP then`,
    "let the proxy in front of the panel pass WebSockets (nginx: proxy_http_version 1.1, " +
      "and the headers Upgrade and Connection)",
  );
}

function toStatusError(verb: string, { status, text, headers }: HttpResponse): Error {
  return statusError(verb, { status, text, location: headers.get("location") });
}

/** Whether an answer accepts or refuses the token; `undefined` for one that is no panel's. */
function tokenBy(response: HttpResponse, isOfPanel: boolean): TokenState | undefined {
  if (response.status === 401 && !isPasswordWall(response)) return "refused";
  return isOfPanel ? "accepted" : undefined;
}

function isNoPanelOfVersion2({ status, text }: HttpResponse): boolean {
  return status === 404 || status === 405 || (status === 200 && isHtml(text));
}
