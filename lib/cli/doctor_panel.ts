/**
 * The chain of checks of `doctor` between this machine and one panel, and its upper links: what
 * answers there, the token, WebSockets, clock and round trip.
 *
 * @module
 */

import { isTimeout, withTimeout } from "../async/timeout.ts";
import type { Config } from "../config/config.ts";
import { reasonOf } from "../panel/http_exchange.ts";
import type { UnitSetting } from "../service/loaded_unit.ts";
import {
  advised,
  type Check,
  check,
  type CheckResult,
  failed,
  linesOf,
  ok,
  skipped,
  warning,
  withLines,
} from "./checks.ts";
import { answerAdvice, answererText, asLimit, proxyVariableNames } from "./doctor_advice.ts";
import { clockAdvice, clockDifference } from "./doctor_clock.ts";
import { cloudflareAdvice } from "./doctor_cloudflare.ts";
import { asRoot } from "./doctor_commands.ts";
import { checkConnection } from "./doctor_connection.ts";
import { checkName } from "./doctor_name.ts";
import { readFile } from "./doctor_name_servers.ts";
import { checkNetwork } from "./doctor_network.ts";
import { notAPanel, toStatusError } from "./doctor_not_a_panel.ts";
import { PanelCalls, withElsewhere } from "./doctor_panel_calls.ts";
import { otherServer } from "./doctor_other_server.ts";
import { measureRoundTrip } from "./doctor_round_trip.ts";
import { checkTls } from "./doctor_tls.ts";
import { tokenResult, type TokenState } from "./doctor_token.ts";
import { webFirewall } from "./doctor_web_firewall.ts";
import { withUnusedProxy } from "./doctor_unused_proxy.ts";
import { endpointPlace, overridden, withoutProxy } from "./doctor_options.ts";
import { addressOf, failureText, type Way, wayTo } from "./doctor_way.ts";
import { lossAdvice, PINGS } from "./doctor_loss.ts";

/** For the calls that find out what answers. */
const CALL_TIMEOUT_MS = 7_000;
const MAX_CLOCK_ERROR_MS = 30_000;

/**
 * The links of the chain to a panel, in the order in which they need each other.
 *
 * @param options `unreadableConfig` is the file of an installed service that is not for this user,
 * `unit` the settings of the service as which the checks run.
 */
export function panelChain(
  config: Config,
  { unreadableConfig, unit = [], usualPorts }: {
    unreadableConfig?: string | undefined;
    unit?: readonly UnitSetting[];
    /** As of {@linkcode Way}. */
    usualPorts?: readonly number[];
  } = {},
): readonly Check[] {
  if (config.endpoint === "") {
    return [check("panel", "Panel", () => noPanel(config, unreadableConfig))];
  }
  const way = wayTo(config, unit, usualPorts);
  const panel = new PanelCheck(way);
  const connected = (link: Promise<CheckResult>, signal: AbortSignal) =>
    withUnusedProxy(way, withDoubts(way, link), signal);
  return [
    check("network", "Network", (signal) => checkNetwork(way, signal)),
    check("dns", "Name resolution", (signal) => connected(checkName(way, signal), signal)),
    check("connect", "TCP connection", (signal) => connected(checkConnection(way, signal), signal)),
    check("tls", "TLS", (signal) => withDoubts(way, checkTls(way, signal))),
    check("panel", "Panel", (signal) => withDoubts(way, panel.call(signal))),
    check("clock", "Clock", () => panel.clock()),
    check("round_trip", "Round trip", (signal) => panel.roundTrip(signal)),
    check("token", "Token", () => panel.token()),
    check("websocket", "WebSocket", (signal) => panel.upgrade(signal)),
  ];
}

/** The result of a link, which begins with the doubts about the addresses where it has failed. */
export async function withDoubts(way: Way, link: Promise<CheckResult>): Promise<CheckResult> {
  const found = await link;
  if (found.status !== "failed") return found;
  const lost = await way.pings?.catch(() => undefined) ?? 0;
  const look = lossAdvice(addressOf(way));
  const loss = found.kind === "no_answer" && lost > 0 &&
    `${lost} of ${PINGS} pings are lost, too: ${look}`;
  const ofPanel = way.proxy === undefined ? overridden(way, "AGENT_ENDPOINT") : undefined;
  return withLines(found, advised(ofPanel, loss, ...way.doubts, ...linesOf(found)));
}

async function noPanel(
  { unknownVariables, isConfigInstalled, configPath }: Config,
  file: string | undefined,
): Promise<CheckResult> {
  const anew = asRoot("komari-agent-deno install -e URL --token-file -");
  if (file !== undefined) {
    const { text, isMissing, isDenied } = await readFile(file);
    if (isDenied) {
      return warning(
        `not checked: this user can't read ${file}, the service's configuration`,
        "run it as root (sudo)",
      );
    }
    if (isMissing) {
      return failed(
        `the service's configuration ${file} is not there: no such file`,
        `put it back, or make it anew: ${anew}`,
      );
    }
    if (text === undefined) {
      return failed(
        `the service's configuration ${file} can't be read`,
        `see what is there in its place: ls -ld ${file}`,
      );
    }
  }
  if (isConfigInstalled) {
    return failed(`${configPath}, of the installed service, names no panel`, `name it: ${anew}`);
  }
  return failed(
    ["no panel is configured", ...unknownVariables].join("; "),
    unknownVariables.length > 0
      ? "set the variables by these names: AGENT_ENDPOINT and AGENT_TOKEN"
      : "give -e URL and --token-file FILE, or --config FILE",
  );
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

  /** Finds out what answers at the panel's address, and at each address of its name. */
  async call(signal: AbortSignal): Promise<CheckResult> {
    const found = await this.#callOnce(signal);
    const isLate = found.kind === "no_answer";
    return await otherServer(this.#way, { isLate, signal }) ?? found;
  }

  async #callOnce(signal: AbortSignal): Promise<CheckResult> {
    try {
      const call = (signal: AbortSignal) => this.#findProtocol(signal);
      return await withTimeout(call, { timeoutMs: CALL_TIMEOUT_MS, signal });
    } catch (error) {
      signal.throwIfAborted();
      const { href, hostname } = this.#way.url;
      const message = failureText(error);
      const here = { way: this.#way, calls: this.#calls, signal };
      if (/is not HTTP/.test(message)) {
        const place = endpointPlace(this.#way);
        const advice = `no web server listens there: correct the port in ${place}`;
        return await withElsewhere(failed(`${message}, once connected`, advice), here);
      }
      const curl = `curl --http1.1 -v ${href}`;
      if (isTimeout(error)) {
        const found = failed(
          `${message}, once connected`,
          "see on the panel's machine whether the panel hangs, and the load, the memory and the disk there; " +
            `it is slow rather than hung if an answer comes later: ${curl}`,
          "see in the log of a proxy in front of the panel whom it waits for",
        );
        return { ...found, kind: "no_answer" };
      }
      const found = failed(
        `${message}, once connected`,
        `see whether a request is answered, and by HTTP/1.1 as this agent's: ${curl}`,
        /closed without an answer/.test(message)
          ? `see whether the proxy in front of the panel knows the name ${hostname} (nginx: server_name; ` +
            "return 444 closes so)"
          : undefined,
        "see on the panel's machine whether it still works, and the log of a proxy in front of it",
      );
      return await withElsewhere(found, here);
    }
  }

  /** Keeps what a panel has answered, and names its version and protocol. */
  async #findProtocol(signal: AbortSignal): Promise<CheckResult> {
    const { answer, protocol, token, ...more } = await this.#calls.identify(signal);
    if (protocol === undefined) {
      return await notAPanel(answer, { way: this.#way, calls: this.#calls, signal });
    }
    this.#version = protocol;
    this.#token = this.#way.config.token === "" ? "missing" : token;
    if (this.#token === "refused") {
      this.#refusal = reasonOf(answer.text);
      if (await this.#calls.takesTokenInBody(signal)) this.#token = "dropped";
    }
    const version = await this.#calls.version(signal);
    const name = version === undefined ? "Komari" : `Komari ${version}`;
    const text = `${name}, protocol version ${protocol}`;
    if (!("refusedPost" in more) || more.refusedPost === undefined) return ok(text);
    const { status } = more.refusedPost;
    return warning(
      `${text}; calls by POST are refused on the way: status ${status}${
        answererText(more.refusedPost, this.#way)
      }`,
      "let POST to /api/clients/ pass in what is in front of the panel: without it all goes by the WebSocket alone",
    );
  }

  roundTrip(signal: AbortSignal): Promise<CheckResult> {
    return measureRoundTrip(this.#calls, { way: this.#way, signal });
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
    if (this.#way.config.transport === "http") return skipped("not used: --transport http");
    if (this.#version === 1) return skipped("not used on panels of version 1");
    if (this.#registersItself) return REGISTERS_ITSELF;
    try {
      const response = await this.#calls.upgrade(signal);
      if (response.headers.has("sec-websocket-version")) {
        return ok("upgrade requests reach the panel");
      }
      const answerer = answererText(response, this.#way);
      const reason = toStatusError("upgrade", response).message.replace(/^Cannot upgrade: /, "");
      // It refuses any call, and says nothing of WebSockets.
      if (REFUSALS.includes(response.status) || webFirewall(response) !== undefined) {
        // Other calls are answered: this one is refused for what it is.
        const advice = response.status === 403 && cloudflareAdvice(response) === undefined &&
            webFirewall(response) === undefined
          ? ["let WebSockets to /api/clients/ pass there, as other calls (nginx: $http_upgrade)"]
          : answerAdvice(asLimit(response), this.#way);
        const found = warning(`the request for one was refused: ${reason}${answerer}`, ...advice);
        return { ...found, kind: asLimit(response).status === 429 ? "limited" : undefined };
      }
      return blocked(
        this.#way,
        (response.text.includes("Require WebSocket upgrade")
          ? "the Upgrade header is removed on the way"
          : reason) + answerer,
      );
    } catch (error) {
      signal.throwIfAborted();
      return blocked(this.#way, failureText(error));
    }
  }

  clock(): CheckResult {
    const errorMs = this.#calls.clockErrorMs;
    if (errorMs === undefined) return skipped("the panel sends no date");
    // The header has whole seconds.
    if (Math.abs(errorMs) < 1_500) return ok("the same as the panel's");
    const difference = clockDifference(errorMs);
    const text = errorMs > 0
      ? `${difference} behind the panel's`
      : `${difference} ahead of the panel's`;
    if (Math.abs(errorMs) <= MAX_CLOCK_ERROR_MS) return ok(text);
    return warning(text, ...clockAdvice());
  }
}

const REGISTERS_ITSELF = skipped("not checked: this node registers itself");

/** Statuses by which something refuses a call whatever it asks for. */
const REFUSALS: readonly number[] = [401, 403, 429, 503];

function blocked(way: Way, reason: string): CheckResult {
  // To those of https:// it leads by a tunnel.
  const isForwarded = way.proxy?.kind === "http" && way.url.protocol === "http:";
  const names = proxyVariableNames(way);
  return warning(
    `blocked: ${reason}; reports can only go by HTTP then`,
    isForwarded
      ? `see whether the proxy of ${names} passes WebSockets, and leave it out if not: ${
        withoutProxy(way)
      }`
      : undefined,
    "let the proxy in front of the panel pass WebSockets (nginx: proxy_http_version 1.1, " +
      "and the headers Upgrade and Connection; Cloudflare: Network, WebSockets)",
  );
}
