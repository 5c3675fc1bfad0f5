/**
 * The checks of `doctor` between this machine and the panel.
 *
 * None of them makes the panel show the node as online: they call a method that no panel has, and ask
 * for a WebSocket of a version that no server speaks.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { describeError, roundMs } from "../log/log.ts";
import { type Certificate, readCertificate } from "../net/certificate.ts";
import { Connector } from "../net/connector.ts";
import { NetDialer } from "../net/dialer.ts";
import { lookUpHostsFile } from "../net/dns.ts";
import { DialError } from "../net/errors.ts";
import { HttpClient, type HttpResponse } from "../net/http_client.ts";
import { withTimeout } from "../async/timeout.ts";
import {
  isHtml,
  provesToken,
  reasonOf as reasonOfAnswer,
  statusError,
} from "../panel/http_exchange.ts";
import { parsePanelMessage } from "../panel/messages.ts";
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
  type ForeignAnswer,
  isLoopback,
  isPasswordWall,
  lookupAdvice,
  tlsAdvice,
  type Way,
} from "./doctor_advice.ts";
import {
  type AuthenticatedTarget,
  callAuthenticated,
  LearnedTokenPlace,
  type PanelAccess,
} from "../panel/authentication.ts";
import { truncate } from "../parse/bounded_text.ts";

const RPC_PATH = "/api/clients/v2/rpc";
/** A method that no panel has. */
const UNKNOWN_METHOD = "agent.noop";
/** RFC 6455 is version 13; a server names it when it refuses another one. */
const UNKNOWN_WEBSOCKET_VERSION = "12";
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_ROUND_TRIP_MS = 1_000;
const MAX_CLOCK_ERROR_MS = 30_000;
const DAY_MS = 24 * 60 * 60_000;
const MIN_CERTIFICATE_DAYS = 14;

/**
 * The checks of the way to the panel, in their order; `unreadableConfig` is the file of an installed
 * service that is not for this user.
 */
export function panelChecks(
  config: Config,
  { unreadableConfig }: { unreadableConfig?: string | undefined } = {},
): readonly Check[] {
  const title = "Panel";
  if (config.endpoint === "") return [check("panel", title, () => noPanel(unreadableConfig))];
  const panel = new PanelCheck(config);
  return [
    check("dns", "Name resolution", (signal) => panel.resolve(signal)),
    check("connect", "TCP connection", (signal) => panel.connect(signal)),
    check("tls", "TLS", (signal) => panel.startTls(signal)),
    check("panel", title, (signal) => panel.call(signal)),
    check("token", "Token", () => panel.token()),
    check("websocket", "WebSocket", (signal) => panel.upgrade(signal)),
    check("clock", "Clock", () => panel.clock()),
    check(
      "round_trip",
      "Round trip",
      (signal) => panel.measureRoundTrip(signal),
    ),
  ];
}

function noPanel(unreadableConfig: string | undefined): CheckResult {
  if (unreadableConfig !== undefined) {
    return result(
      "failed",
      `not checked: this user can't read ${unreadableConfig}, the service's configuration`,
      "run it as root (sudo)",
    );
  }
  return result("failed", "no panel is configured", "give -e URL and -t TOKEN, or --config FILE");
}

type Token = "accepted" | "refused" | "missing" | "unknown";

class PanelCheck {
  readonly #config: Config;
  readonly #access: PanelAccess;
  readonly #url: URL;
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
    this.#url = new URL(config.endpoint);
    this.#dialer = new NetDialer(config);
    this.#client = new HttpClient({ dialer: this.#dialer });
  }

  async resolve(signal: AbortSignal): Promise<CheckResult> {
    const proxy = this.#dialer.proxyFor(this.#url);
    const host = proxy?.host ?? urlHost(this.#url);
    if (ipFamily(host) !== undefined) {
      return result("ok", `${host} is an address`);
    }
    const server = await this.#nameServer(host);
    try {
      const addresses = await new Connector(this.#config).lookUp(host, { signal });
      const subject = proxy === undefined ? host : `the proxy ${host}`;
      return result("ok", `${subject} is ${addresses.join(", ")}, by ${server}`);
    } catch (error) {
      signal.throwIfAborted();
      this.#isResolved = false;
      const reason = reasonOf(error);
      return result("failed", `${reason} (asked ${server})`, lookupAdvice(this.#way));
    }
  }

  get #way(): Way {
    return { url: this.#url, proxy: this.#dialer.proxyFor(this.#url) };
  }

  /** The source of the answer to a name. */
  async #nameServer(host: string): Promise<string> {
    const { nameServer } = this.#config;
    const hosts = await Deno.readTextFile("/etc/hosts").catch(() => "");
    if (lookUpHostsFile(hosts, host).length > 0) return "/etc/hosts";
    if (nameServer !== undefined) return `${nameServer.host} port ${nameServer.port}`;
    const resolv = await Deno.readTextFile("/etc/resolv.conf").catch(() => "");
    const servers = [...resolv.matchAll(/^nameserver\s+(\S+)/gm)].map(([, address = ""]) =>
      address
    );
    return servers.length === 0 ? "the system" : servers.join(", ");
  }

  async connect(signal: AbortSignal): Promise<CheckResult> {
    if (!this.#isResolved) return SKIPPED;
    try {
      const { connection } = await this.#dialer.connect(this.#url, { signal });
      const { hostname, port } = connection.remoteAddr;
      connection.close();
      this.#isReachable = true;
      const proxy = this.#dialer.proxyFor(this.#url);
      return proxy === undefined
        ? result("ok", `connected to ${hostname} port ${port}`)
        : result("ok", `connected through the proxy ${hostname} port ${port}`);
    } catch (error) {
      signal.throwIfAborted();
      return result("failed", reasonOf(error), connectAdvice(error, this.#way));
    }
  }

  async startTls(signal: AbortSignal): Promise<CheckResult> {
    if (this.#url.protocol !== "https:") {
      if (isLoopback(urlHost(this.#url))) {
        return result("ok", "not needed: the panel is on this machine");
      }
      return result("warning", "not used: everything goes unencrypted", "use an https:// address");
    }
    if (!this.#isReachable) return SKIPPED;
    const certificate = await this.#readCertificate(signal);
    const days = Math.floor(((certificate?.validUntilMs ?? NaN) - Date.now()) / DAY_MS);
    const details = certificate === undefined ? "" : certificateText(certificate);
    try {
      const { stream } = await this.#dialer.dial(this.#url, { signal });
      stream.close();
    } catch (error) {
      signal.throwIfAborted();
      this.#isReachable = false;
      const reason = reasonOf(error);
      return result(
        "failed",
        details === "" ? reason : `${reason} (${details})`,
        tlsAdvice(reason, this.#way),
      );
    }
    if (this.#config.anyCertificate) {
      return result(
        "warning",
        `any certificate is trusted (${details})`,
        "--ca-cert FILE trusts only your own certificate",
      );
    }
    if (days >= MIN_CERTIFICATE_DAYS) return result("ok", details);
    return result("warning", details, "renew the panel's certificate");
  }

  async #readCertificate(signal: AbortSignal) {
    try {
      const { connection } = await this.#dialer.connect(this.#url, { signal });
      return await withTimeout(
        (signal) => readCertificate(connection, { host: urlHost(this.#url), signal }),
        { timeoutMs: REQUEST_TIMEOUT_MS, signal },
      );
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  }

  /** Finds out which protocol the panel speaks, and whether it accepts the token. */
  async call(signal: AbortSignal): Promise<CheckResult> {
    if (!this.#isReachable) return SKIPPED;
    try {
      const response = await this.#callUnknownMethod(signal);
      const message = parseMessage(response);
      if (isPasswordWall(foreign(response))) return this.#notAPanel(response);
      else if (response.status === 401) this.#found({ version: 2, token: "refused" });
      // Usually it says that there is no such method; any other answer proves the same.
      else if (message !== undefined) this.#found({ version: 2, token: "accepted" });
      else if (isNoPanelOfVersion2(response)) {
        return await this.#callVersion1(response, signal);
      } else return this.#notAPanel(response);
    } catch (error) {
      signal.throwIfAborted();
      return result(
        "failed",
        reasonOf(error),
        "check that it is a panel that listens there, and the proxy in front of it",
      );
    }
    return await this.#panelText(signal);
  }

  async #callVersion1(answer: HttpResponse, signal: AbortSignal): Promise<CheckResult> {
    const path = "/api/clients/ping/tasks";
    const response = await this.#request("GET", path, { signal });
    const isList = response.status === 200 && /^\s*(\[|null)/.test(response.text);
    if (isPasswordWall(foreign(response))) return this.#notAPanel(response);
    else if (response.status === 401) this.#found({ version: 1, token: "refused" });
    else if (isList) this.#found({ version: 1, token: "accepted" });
    // Where something takes no POST, the page that answers GET may be the panel's own.
    else return this.#notAPanel(answer.status === 405 ? answer : response);
    return await this.#panelText(signal);
  }

  #found({ version, token }: { version: 1 | 2; token: Token }): void {
    this.#version = version;
    this.#token = this.#config.token === "" ? "missing" : token;
  }

  /** Says what has answered in place of a panel, with the first line of its page. */
  #notAPanel(response: HttpResponse): CheckResult {
    const { status, text } = response;
    const answer = foreign(response);
    const advice = answerAdvice(answer, this.#way);
    if (isPasswordWall(answer)) {
      return result(
        "failed",
        `something in front of the panel asks for a password (status 401${reasonOfAnswer(text)})`,
        advice,
      );
    }
    if (status >= 300 && status < 400) {
      const { message } = toStatusError("call the panel", response);
      return result("failed", message, advice);
    }
    return result(
      "failed",
      `the answer is status ${status}${reasonOfAnswer(text)}, not a Komari panel's`,
      advice,
    );
  }

  /** The panel's version and protocol. */
  async #panelText(signal: AbortSignal): Promise<CheckResult> {
    const version = await this.#panelVersion(signal);
    const name = version === undefined ? "Komari" : `Komari ${version}`;
    return result("ok", `${name}, protocol version ${this.#version}`);
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
      return blocked(reasonOf(error));
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

/** The message of an error; that of a dial error says everything without its cause. */
function reasonOf(error: unknown): string {
  return error instanceof DialError ? error.message : describeError(error);
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

function parseMessage({ status, text }: HttpResponse) {
  if (status !== 200 && status !== 400) return undefined;
  const message = parsePanelMessage(text);
  return message?.kind === "answer" ? message : undefined;
}

function foreign({ status, text, headers }: HttpResponse): ForeignAnswer {
  const location = headers.get("location") ?? undefined;
  return { status, text, asksForPassword: headers.has("www-authenticate"), location };
}

/** Version, issuer, end and names of a certificate. */
function certificateText(
  { tlsVersion, issuer, names, isSelfSigned, validFromMs, validUntilMs }: Certificate,
): string {
  const nowMs = Date.now();
  const days = Math.floor((validUntilMs - nowMs) / DAY_MS);
  const today = new Date(nowMs).toISOString().slice(0, 10);
  const first = new Date(validFromMs).toISOString().slice(0, 10);
  const validity: string = days < 0
    ? `expired ${-days} days before ${today}, the date here`
    : validFromMs > nowMs
    ? `valid from ${first}, and the date here is ${today}`
    : `valid for ${days} more days`;
  const shown = names.slice(0, MAX_NAMES);
  const more = names.length > shown.length ? "…" : "";
  return `${tlsVersion}, ${
    isSelfSigned ? "self-signed by" : "issued by"
  } ${issuer}, ${validity}, ` +
    (names.length === 0 ? "for no name" : `for ${shown.join(", ")}${more}`);
}

const MAX_NAMES = 4;

function isNoPanelOfVersion2({ status, text }: HttpResponse): boolean {
  return status === 404 || status === 405 || (status === 200 && isHtml(text));
}
