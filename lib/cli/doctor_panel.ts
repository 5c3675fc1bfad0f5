/**
 * The checks of `doctor` between this machine and the panel.
 *
 * None of them makes the panel show the node as online: they call a method that no panel has, and ask
 * for a WebSocket of a version that no server speaks.
 *
 * @module
 */

import { withTimeout } from "../async/timeout.ts";
import type { Config } from "../config/config.ts";
import { roundMs } from "../log/log.ts";
import { Connector } from "../net/connector.ts";
import { NetDialer } from "../net/dialer.ts";
import { lookUpHostsFile } from "../net/dns.ts";
import { HttpClient, type HttpResponse } from "../net/http_client.ts";
import {
  type AuthenticatedTarget,
  callAuthenticated,
  LearnedTokenPlace,
  type PanelAccess,
} from "../panel/authentication.ts";
import { UNKNOWN_METHOD } from "../panel/client_v2.ts";
import { isHtml, provesToken, reasonOf, statusError } from "../panel/http_exchange.ts";
import { parsePanelMessage } from "../panel/messages.ts";
import { truncate } from "../parse/bounded_text.ts";
import { ipFamily } from "../parse/ip_address.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { urlHost } from "../parse/probe_target.ts";
import { USER_AGENT } from "../version.ts";
import { type Check, check, type CheckResult, result } from "./checks.ts";
import {
  answerAdvice,
  clockAdvice,
  clockDifference,
  connectAdvice,
  failureText,
  isPasswordWall,
  lookupAdvice,
  type Way,
} from "./doctor_advice.ts";
import { checkTls } from "./doctor_tls.ts";

const RPC_PATH = "/api/clients/v2/rpc";
/** RFC 6455 is version 13; a server names it when it refuses another one. */
const UNKNOWN_WEBSOCKET_VERSION = "12";
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_ROUND_TRIP_MS = 1_000;
const MAX_CLOCK_ERROR_MS = 30_000;

/**
 * The checks of the way to the panel, in their order; `unreadableConfig` is the file of an installed
 * service that is not for this user.
 */
export function panelChecks(
  config: Config,
  { unreadableConfig }: { unreadableConfig?: string | undefined } = {},
): readonly Check[] {
  if (config.endpoint === "") return [check("panel", "Panel", () => noPanel(unreadableConfig))];
  const panel = new PanelCheck(config);
  return [
    check("dns", "Name resolution", (signal) => panel.resolve(signal)),
    check("connect", "TCP connection", (signal) => panel.connect(signal)),
    check("tls", "TLS", (signal) => panel.startTls(signal)),
    check("panel", "Panel", (signal) => panel.call(signal)),
    check("token", "Token", () => panel.token()),
    check("websocket", "WebSocket", (signal) => panel.upgrade(signal)),
    check("clock", "Clock", () => panel.clock()),
    check("round_trip", "Round trip", (signal) => panel.measureRoundTrip(signal)),
  ];
}

function noPanel(unreadableConfig: string | undefined): CheckResult {
  return unreadableConfig === undefined
    ? result("failed", "no panel is configured", "give -e URL and -t TOKEN, or --config FILE")
    : result(
      "failed",
      `not checked: this user can't read ${unreadableConfig}, the service's configuration`,
      "run it as root (sudo)",
    );
}

type Token = "accepted" | "refused" | "missing" | "unknown";

class PanelCheck {
  readonly #config: Config;
  readonly #access: PanelAccess;
  readonly #way: Way;
  readonly #dialer: NetDialer;
  readonly #client: HttpClient;
  /** Whether the name of the panel, or of the proxy, was resolved. */
  #isResolved = true;
  /** Whether requests can be made. */
  #isReachable = false;
  #version: 1 | 2 | undefined;
  #token: Token = "unknown";
  /** Difference between the panel's clock and ours, in milliseconds. */
  #clockErrorMs: number | undefined;

  constructor(config: Config) {
    this.#config = config;
    const { endpoint, token } = config;
    this.#access = { endpoint, token, tokenPlace: new LearnedTokenPlace(config.tokenIn) };
    this.#dialer = new NetDialer(config);
    const url = new URL(endpoint);
    this.#way = { url, proxy: this.#dialer.proxyFor(url) };
    this.#client = new HttpClient({ dialer: this.#dialer });
  }

  async resolve(signal: AbortSignal): Promise<CheckResult> {
    const { url, proxy } = this.#way;
    const host = proxy?.host ?? urlHost(url);
    if (ipFamily(host) !== undefined) return result("ok", `${host} is an address`);
    const server = await this.#nameServer(host);
    try {
      const addresses = await new Connector(this.#config).lookUp(host, { signal });
      const subject = proxy === undefined ? host : `the proxy ${host}`;
      return result("ok", `${subject} is ${addresses.join(", ")}, by ${server}`);
    } catch (error) {
      signal.throwIfAborted();
      this.#isResolved = false;
      return result("failed", `${failureText(error)} (asked ${server})`, lookupAdvice(this.#way));
    }
  }

  /** The source of the answer to a name. */
  async #nameServer(host: string): Promise<string> {
    const { nameServer } = this.#config;
    const hosts = await Deno.readTextFile("/etc/hosts").catch(() => "");
    if (lookUpHostsFile(hosts, host).length > 0) return "/etc/hosts";
    if (nameServer !== undefined) return `${nameServer.host} port ${nameServer.port}`;
    const resolv = await Deno.readTextFile("/etc/resolv.conf").catch(() => "");
    const servers = Array.from(resolv.matchAll(/^nameserver\s+(\S+)/gm), ([, address]) => address);
    return servers.join(", ") || "the system";
  }

  async connect(signal: AbortSignal): Promise<CheckResult> {
    if (!this.#isResolved) return SKIPPED;
    try {
      const { connection } = await this.#dialer.connect(this.#way.url, { signal });
      const { hostname, port } = connection.remoteAddr;
      connection.close();
      this.#isReachable = true;
      const text = this.#way.proxy === undefined
        ? `connected to ${hostname} port ${port}`
        : `connected through the proxy ${hostname} port ${port}`;
      return result("ok", text);
    } catch (error) {
      signal.throwIfAborted();
      return result("failed", failureText(error), connectAdvice(error, this.#way));
    }
  }

  async startTls(signal: AbortSignal): Promise<CheckResult> {
    const { url } = this.#way;
    if (url.protocol === "https:" && !this.#isReachable) return SKIPPED;
    const { anyCertificate } = this.#config;
    const outcome = await checkTls(this.#way, { dialer: this.#dialer, anyCertificate, signal });
    if (outcome.status === "failed") this.#isReachable = false;
    return outcome;
  }

  /** Finds out which protocol the panel speaks, and whether it accepts the token. */
  async call(signal: AbortSignal): Promise<CheckResult> {
    if (!this.#isReachable) return SKIPPED;
    try {
      const answer = await this.#callUnknownMethod(signal);
      // Usually it says that there is no such method; any other answer proves the same.
      const byVersion2 = tokenBy(answer, isRpcAnswer(answer));
      if (byVersion2 !== undefined) return await this.#found(2, byVersion2, signal);
      if (!isNoPanelOfVersion2(answer)) return this.#notAPanel(answer);
      const tasks = await this.#request("GET", "/api/clients/ping/tasks", { signal });
      const isList = tasks.status === 200 && /^\s*(\[|null)/.test(tasks.text);
      const byVersion1 = tokenBy(tasks, isList);
      if (byVersion1 !== undefined) return await this.#found(1, byVersion1, signal);
      // Where something takes no POST, the page that answers GET may be the panel's own.
      return this.#notAPanel(answer.status === 405 && !isPasswordWall(tasks) ? answer : tasks);
    } catch (error) {
      signal.throwIfAborted();
      return result(
        "failed",
        failureText(error),
        "check that it is a panel that listens there, and the proxy in front of it",
      );
    }
  }

  /** Keeps what a panel has answered, and names its version and protocol. */
  async #found(protocol: 1 | 2, token: Token, signal: AbortSignal): Promise<CheckResult> {
    this.#version = protocol;
    this.#token = this.#config.token === "" ? "missing" : token;
    const version = await this.#panelVersion(signal);
    const name = version === undefined ? "Komari" : `Komari ${version}`;
    return result("ok", `${name}, protocol version ${protocol}`);
  }

  /** Says what has answered in place of a panel, with the first line of its page. */
  #notAPanel(response: HttpResponse): CheckResult {
    const { status, text } = response;
    const words = isPasswordWall(response)
      ? `something in front of the panel asks for a password (status 401${reasonOf(text)})`
      : status >= 300 && status < 400
      ? toStatusError("call the panel", response).message
      : `the answer is status ${status}${reasonOf(text)}, not a Komari panel's`;
    return result("failed", words, answerAdvice(response, this.#way));
  }

  async #panelVersion(signal: AbortSignal): Promise<string | undefined> {
    try {
      const { status, text } = await this.#request("GET", "/api/version", { signal, query: "" });
      const { data } = status === 200 ? jsonFields(parseJson(text)) : {};
      const { version } = jsonFields(data);
      return typeof version === "string" ? truncate(version, 40) : undefined;
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  }

  token(): CheckResult {
    if (this.#registersItself) return REGISTERS_ITSELF;
    if (this.#token === "refused" && /^([\x22\x27]).*\1$/.test(this.#config.token)) {
      return QUOTED_TOKEN;
    }
    return TOKEN_RESULTS[this.#token];
  }

  get #registersItself(): boolean {
    return this.#token === "missing" && this.#config.autoDiscoveryKey !== "";
  }

  async upgrade(signal: AbortSignal): Promise<CheckResult> {
    if (this.#config.transport === "http") {
      return result("skipped", "not used: --transport http");
    }
    if (this.#version === undefined) return SKIPPED;
    if (this.#version === 1) {
      return result("skipped", "not used on panels of version 1");
    }
    if (this.#registersItself) return REGISTERS_ITSELF;
    if (this.#token !== "accepted") return SKIPPED;
    try {
      const response = await this.#request("GET", RPC_PATH, {
        signal,
        headers: [
          ["connection", "Upgrade"],
          ["upgrade", "websocket"],
          ["sec-websocket-key", crypto.getRandomValues(new Uint8Array(16)).toBase64()],
          ["sec-websocket-version", UNKNOWN_WEBSOCKET_VERSION],
        ],
      });
      if (response.headers.has("sec-websocket-version")) {
        return result("ok", "upgrade requests reach the panel");
      }
      return blocked(
        response.text.includes("Require WebSocket upgrade")
          ? "the Upgrade header is removed on the way"
          : toStatusError("upgrade", response).message.replace(/^Cannot upgrade: /, ""),
      );
    } catch (error) {
      signal.throwIfAborted();
      return blocked(failureText(error));
    }
  }

  clock(): CheckResult {
    if (this.#clockErrorMs === undefined) return SKIPPED;
    // The header has whole seconds.
    if (Math.abs(this.#clockErrorMs) < 1_500) {
      return result("ok", "the same as the panel's");
    }
    const difference = clockDifference(this.#clockErrorMs);
    const text = this.#clockErrorMs > 0
      ? `${difference} behind the panel's`
      : `${difference} ahead of the panel's`;
    if (Math.abs(this.#clockErrorMs) <= MAX_CLOCK_ERROR_MS) return result("ok", text);
    return result("warning", text, clockAdvice());
  }

  async measureRoundTrip(signal: AbortSignal): Promise<CheckResult> {
    if (this.#version === undefined) return SKIPPED;
    // The connection of the calls before is reused.
    const startedAtMs = performance.now();
    await this.#callUnknownMethod(signal);
    const ms = performance.now() - startedAtMs;
    this.#client.close();
    const text = `${roundMs(ms)} ms`;
    if (ms <= MAX_ROUND_TRIP_MS) return result("ok", text);
    return result("warning", text, "the panel or the way to it is overloaded");
  }

  #callUnknownMethod(signal: AbortSignal): Promise<HttpResponse> {
    const body = JSON.stringify({ jsonrpc: "2.0", method: UNKNOWN_METHOD, params: {}, id: 1 });
    return this.#request("POST", RPC_PATH, { signal, body });
  }

  async #request(
    method: "GET" | "POST",
    path: string,
    options: {
      signal: AbortSignal;
      body?: string;
      query?: string;
      headers?: readonly (readonly [string, string])[];
    },
  ): Promise<HttpResponse> {
    const { endpoint, headers } = this.#config;
    const { query, body } = options;
    const sentAtMs = Date.now();
    const send = async (target: AuthenticatedTarget) =>
      await withTimeout((signal) =>
        this.#client.request({
          method,
          url: target.url,
          headers: [
            ["user-agent", USER_AGENT],
            ...headers,
            ["content-type", "application/json"],
            ...options.headers ?? [],
            ...target.headers,
          ],
          body,
        }, { signal }), { timeoutMs: REQUEST_TIMEOUT_MS, signal: options.signal });
    const response = query === undefined
      ? await callAuthenticated(this.#access, { path, isAccepted: provesToken }, send)
      : await send({ url: endpoint + path + query, headers: [] });
    const dateMs = Date.parse(response.headers.get("date") ?? "");
    if (!Number.isNaN(dateMs)) this.#clockErrorMs = dateMs - (sentAtMs + Date.now()) / 2;
    return response;
  }
}

const REGISTERS_ITSELF = result("skipped", "not checked: this node registers itself");

const SKIPPED = result("skipped", "not checked, because of the failure above");

const QUOTED_TOKEN = result(
  "failed",
  "the panel does not know this token, which is within quotes",
  "write the token without the quotes",
);

const TOKEN_RESULTS: Readonly<Record<Token, CheckResult>> = {
  accepted: result("ok", "accepted"),
  missing: result("failed", "no token is configured", "give -t TOKEN or --token-file FILE"),
  refused: result(
    "failed",
    "the panel does not know this token",
    "copy the token of this node from the panel's page again",
  ),
  unknown: SKIPPED,
};

function blocked(reason: string): CheckResult {
  return result(
    "warning",
    `blocked: ${reason}; reports go by HTTP instead`,
    "let the proxy in front of the panel pass WebSockets (nginx: proxy_http_version 1.1, " +
      "and the headers Upgrade and Connection)",
  );
}

function toStatusError(verb: string, { status, text, headers }: HttpResponse): Error {
  return statusError(verb, { status, text, location: headers.get("location") });
}

/** Whether an answer accepts or refuses the token; `undefined` for one that is no panel's. */
function tokenBy(response: HttpResponse, isOfPanel: boolean): Token | undefined {
  if (response.status === 401 && !isPasswordWall(response)) return "refused";
  return isOfPanel ? "accepted" : undefined;
}

function isRpcAnswer({ status, text }: HttpResponse): boolean {
  return (status === 200 || status === 400) && parsePanelMessage(text)?.kind === "answer";
}

function isNoPanelOfVersion2({ status, text }: HttpResponse): boolean {
  return status === 404 || status === 405 || (status === 200 && isHtml(text));
}
