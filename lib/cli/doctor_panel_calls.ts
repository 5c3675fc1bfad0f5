/**
 * The calls of `doctor` to what answers at a panel's address. None of them makes a panel show the node as
 * online: they call a method that no panel has, and ask for a WebSocket of a version that no server
 * speaks.
 *
 * @module
 */

import { attemptWithin, withTimeout } from "../async/timeout.ts";
import { HttpClient, type HttpResponse } from "../net/http_client.ts";
import {
  type AuthenticatedTarget,
  callAuthenticated,
  LearnedTokenPlace,
  type PanelAccess,
} from "../panel/authentication.ts";
import { UNKNOWN_METHOD } from "../panel/client_v2.ts";
import { isHtml, provesToken } from "../panel/http_exchange.ts";
import { parsePanelMessage } from "../panel/messages.ts";
import { truncate } from "../parse/bounded_text.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { USER_AGENT } from "../version.ts";
import { type CheckResult, linesOf, withLines } from "./checks.ts";
import { isPasswordWall } from "./doctor_advice.ts";
import { failureText, usualAddresses, type Way } from "./doctor_way.ts";
import { writeOr } from "./doctor_options.ts";

const RPC_PATH = "/api/clients/v2/rpc";
/** RFC 6455 is version 13; a server names it when it refuses another one. */
const UNKNOWN_WEBSOCKET_VERSION = "12";
const REQUEST_TIMEOUT_MS = 5_000;

/** The calls to one panel, over one client. */
export class PanelCalls {
  readonly #way: Way;
  readonly #access: PanelAccess;
  readonly #client: HttpClient;
  #clockErrorMs: number | undefined;

  constructor(way: Way) {
    this.#way = way;
    const { endpoint, token, tokenIn } = way.config;
    this.#access = { endpoint, token, tokenPlace: new LearnedTokenPlace(tokenIn) };
    this.#client = new HttpClient({ dialer: way.dialer });
  }

  /** Difference between the panel's clock and ours, in milliseconds, by its last answer that has a date. */
  get clockErrorMs(): number | undefined {
    return this.#clockErrorMs;
  }

  /** Where the panel takes the token. */
  get tokenPlace(): LearnedTokenPlace["current"] | undefined {
    return this.#access.tokenPlace?.current;
  }

  /** Calls a method that no panel has, with so many bytes more, and by default as this agent. */
  unknownMethod(
    signal: AbortSignal,
    { padding = 0, userAgent }: { padding?: number; userAgent?: string } = {},
  ): Promise<HttpResponse> {
    const params = padding === 0 ? {} : { padding: "x".repeat(padding) };
    const body = JSON.stringify({ jsonrpc: "2.0", method: UNKNOWN_METHOD, params, id: 1 });
    return this.request("POST", RPC_PATH, { signal, body, userAgent });
  }

  /** Finds out which protocol of a panel is spoken, if any, and whether the token is accepted. */
  async identify(signal: AbortSignal): Promise<Answerer> {
    const answer = await this.unknownMethod(signal);
    // Usually it says that there is no such method; any other answer proves the same.
    const byVersion2 = tokenBy(answer, isRpcAnswer(answer));
    if (byVersion2 !== undefined) return { answer, protocol: 2, token: byVersion2 };
    const isRefused = REFUSALS_OF_POST.includes(answer.status);
    if (!isRefused && !isNoPanelOfVersion2(answer)) return { answer };
    const tasks = await this.request("GET", "/api/clients/ping/tasks", { signal });
    const isList = tasks.status === 200 && /^\s*(\[|null)/.test(tasks.text);
    const byVersion1 = tokenBy(tasks, isList);
    if (byVersion1 !== undefined) {
      const found = { answer: tasks, token: byVersion1 };
      const isInFront = isRefused &&
        (await this.upgrade(signal)).headers.has("sec-websocket-version");
      if (isInFront) return { ...found, protocol: 2, refusedPost: answer };
      return isNoPanelOfVersion2(answer) ? { ...found, protocol: 1 } : { answer };
    }
    // Where something takes no POST, the page that answers GET may be the panel's own.
    return { answer: isRefused && !isPasswordWall(tasks) ? answer : tasks };
  }

  /** Whether the panel takes the token in the body of a call, which it refuses in the query. */
  async takesTokenInBody(signal: AbortSignal): Promise<boolean> {
    const { token } = this.#way.config;
    const body = JSON.stringify({
      ...{ jsonrpc: "2.0", method: UNKNOWN_METHOD, params: {}, id: 1 },
      token,
    });
    const ask = (signal: AbortSignal) =>
      this.request("POST", RPC_PATH, { signal, body, query: "" });
    const answer = await attemptWithin(ask, { timeoutMs: REQUEST_TIMEOUT_MS, signal });
    return answer !== undefined && isRpcAnswer(answer);
  }

  /** The version of the panel at an address, by default the configured one; `undefined` where none answers. */
  async version(signal: AbortSignal, endpoint?: string): Promise<string | undefined> {
    const ask = (signal: AbortSignal) =>
      this.request("GET", "/api/version", { signal, query: "", endpoint });
    const answer = await attemptWithin(ask, { timeoutMs: REQUEST_TIMEOUT_MS, signal });
    const { data } = answer?.status === 200 ? jsonFields(parseJson(answer.text)) : {};
    const { version } = jsonFields(data);
    return typeof version === "string" ? truncate(version, 40) : undefined;
  }

  /** What an address, by default the configured one, answers to a browser, or why it does not. */
  async page(
    signal: AbortSignal,
    endpoint?: string,
  ): Promise<{ response?: HttpResponse; failure?: string }> {
    const ask = (signal: AbortSignal) => this.request("GET", "/", { signal, query: "", endpoint });
    try {
      return { response: await withTimeout(ask, { timeoutMs: ELSEWHERE_MS, signal }) };
    } catch (error) {
      signal.throwIfAborted();
      return { failure: failureText(error) };
    }
  }

  /** Asks for a WebSocket of a version that no server speaks. */
  upgrade(signal: AbortSignal): Promise<HttpResponse> {
    return this.request("GET", RPC_PATH, {
      signal,
      headers: [
        ["connection", "Upgrade"],
        ["upgrade", "websocket"],
        ["sec-websocket-key", crypto.getRandomValues(new Uint8Array(16)).toBase64()],
        ["sec-websocket-version", UNKNOWN_WEBSOCKET_VERSION],
      ],
    });
  }

  /** Sends a request; with a `query` of its own it has no token. @throws {Error} Without an answer in time. */
  async request(
    method: "GET" | "POST",
    path: string,
    options: {
      signal: AbortSignal;
      body?: string;
      query?: string;
      endpoint?: string | undefined;
      userAgent?: string | undefined;
      headers?: readonly (readonly [string, string])[];
    },
  ): Promise<HttpResponse> {
    const { url, config } = this.#way;
    const { query, body, endpoint = config.endpoint } = options;
    // They may be secret.
    const headers = new URL(endpoint).origin === url.origin ? config.headers : [];
    const sentAtMs = Date.now();
    const send = async (target: AuthenticatedTarget) =>
      await withTimeout((signal) =>
        this.#client.request({
          method,
          url: target.url,
          headers: [
            ["user-agent", options.userAgent ?? USER_AGENT],
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

/** For calls at other addresses. */
const ELSEWHERE_MS = 2_000;

/** The first of several addresses at which a panel answers; nothing secret is sent there. */
export async function panelAmong(
  addresses: readonly string[],
  { calls, signal }: { calls: Pick<PanelCalls, "version">; signal: AbortSignal },
): Promise<string | undefined> {
  const versions = await Promise.all(addresses.map(async (address) => {
    const ask = (signal: AbortSignal) => calls.version(signal, address);
    return await attemptWithin(ask, { timeoutMs: ELSEWHERE_MS, signal });
  }));
  return addresses[versions.findIndex((version) => version !== undefined)];
}

/** A failed link, with another address on the same host at which a panel answers, if there is one. */
export async function withElsewhere(
  found: CheckResult,
  { way, calls, signal }: { way: Way; calls: Pick<PanelCalls, "version">; signal: AbortSignal },
): Promise<CheckResult> {
  const usual = usualAddresses(way).map(({ address }) => address);
  const elsewhere = await panelAmong(usual, { calls, signal });
  if (elsewhere === undefined) return found;
  const text = `${found.text}; a Komari panel answers at ${elsewhere}`;
  return withLines({ ...found, text }, writeOr(elsewhere, way, linesOf(found)));
}

/** The answer at an address: of a panel that accepts or refuses the token, or of another server. */
export type Answerer =
  & { readonly answer: HttpResponse }
  & (
    | {
      readonly protocol: 1 | 2;
      readonly token: "accepted" | "refused";
      /** The answer of what lets no POST through to the panel. */
      readonly refusedPost?: HttpResponse;
    }
    | { readonly protocol?: undefined; readonly token?: undefined }
  );

/** Whether an answer accepts or refuses the token; `undefined` for one that is no panel's. */
function tokenBy(response: HttpResponse, isOfPanel: boolean): Answerer["token"] {
  if (response.status === 401 && !isPasswordWall(response)) return "refused";
  return isOfPanel ? "accepted" : undefined;
}

/** Statuses by which something in front of a panel may let no POST through. */
const REFUSALS_OF_POST: readonly number[] = [403, 405, 501];

function isNoPanelOfVersion2({ status, text }: HttpResponse): boolean {
  return status === 404 || status === 405 || (status === 200 && isHtml(text));
}

/** Whether an answer is one to a call. */
function isRpcAnswer({ status, text }: HttpResponse): boolean {
  return (status === 200 || status === 400) && parsePanelMessage(text)?.kind === "answer";
}
