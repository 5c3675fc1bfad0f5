/**
 * The calls to what answers at a panel's address. None of them makes a panel show the node as online:
 * they call a method that no panel has, and ask for a WebSocket of a version that no server speaks.
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
import { isHtml } from "../diagnosis/page.ts";
import { provesToken } from "../panel/http_exchange.ts";
import { parsePanelMessage } from "../panel/messages.ts";
import { foreignWords } from "../parse/bounded_text.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { USER_AGENT } from "../version.ts";
import type { OpenWay } from "./way.ts";

const RPC_PATH = "/api/clients/v2/rpc";
/** RFC 6455 is version 13; a server names it when it refuses another one. */
const UNKNOWN_WEBSOCKET_VERSION = "12";
const REQUEST_MS = 5_000;
/** For calls at other addresses. */
const ELSEWHERE_MS = 2_000;

/** The answer at an address: of a panel that accepts or refuses the token, or of another server. */
export interface Answerer {
  readonly answer: HttpResponse;
  /** Absent where it is no panel's. */
  readonly protocol?: 1 | 2;
  readonly isAccepted?: boolean;
}

/** The calls to one panel, over one client. */
export class PanelCalls {
  readonly #way: OpenWay;
  readonly #access: PanelAccess;
  readonly #client: HttpClient;
  #clockErrorMs: number | undefined;

  constructor(way: OpenWay) {
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

  /** Calls a method that no panel has. */
  unknownMethod(signal: AbortSignal): Promise<HttpResponse> {
    const body = JSON.stringify({ jsonrpc: "2.0", method: UNKNOWN_METHOD, params: {}, id: 1 });
    return this.#request("POST", RPC_PATH, { signal, body });
  }

  /** Finds out which protocol of a panel is spoken, if any, and whether the token is accepted. */
  async identify(signal: AbortSignal): Promise<Answerer> {
    const answer = await this.unknownMethod(signal);
    const { status, text } = answer;
    // Usually it says that there is no such method; any other answer proves the same.
    const isAnswer = (status === 200 || status === 400) &&
      parsePanelMessage(text)?.kind === "answer";
    if (isAnswer || isRefusal(answer)) return { answer, protocol: 2, isAccepted: isAnswer };
    if (status !== 404 && status !== 405 && !(status === 200 && isHtml(text))) return { answer };
    const tasks = await this.#request("GET", "/api/clients/ping/tasks", { signal });
    const isList = tasks.status === 200 && /^\s*(\[|null)/.test(tasks.text);
    return isList || isRefusal(tasks)
      ? { answer: tasks, protocol: 1, isAccepted: isList }
      : { answer: tasks };
  }

  /** The version of the panel at an address, by default the configured one; `undefined` where none answers. */
  async version(signal: AbortSignal, endpoint?: string): Promise<string | undefined> {
    const timeoutMs = endpoint === undefined ? REQUEST_MS : ELSEWHERE_MS;
    const ask = (signal: AbortSignal) =>
      this.#request("GET", "/api/version", { signal, endpoint, isPublic: true });
    const answer = await attemptWithin(ask, { timeoutMs, signal });
    const { data } = answer?.status === 200 ? jsonFields(parseJson(answer.text)) : {};
    const { version } = jsonFields(data);
    return typeof version === "string" ? foreignWords(version, 40) : undefined;
  }

  /** What the panel's address answers to a browser. */
  page(signal: AbortSignal): Promise<HttpResponse | undefined> {
    const ask = (signal: AbortSignal) => this.#request("GET", "/", { signal, isPublic: true });
    return attemptWithin(ask, { timeoutMs: ELSEWHERE_MS, signal });
  }

  /** Asks for a WebSocket of a version that no server speaks. */
  upgrade(signal: AbortSignal): Promise<HttpResponse> {
    return this.#request("GET", RPC_PATH, {
      signal,
      headers: [
        ["connection", "Upgrade"],
        ["upgrade", "websocket"],
        ["sec-websocket-key", crypto.getRandomValues(new Uint8Array(16)).toBase64()],
        ["sec-websocket-version", UNKNOWN_WEBSOCKET_VERSION],
      ],
    });
  }

  /** @throws {Error} Without an answer in time. */
  async #request(
    method: "GET" | "POST",
    path: string,
    options: {
      signal: AbortSignal;
      body?: string;
      headers?: readonly (readonly [string, string])[];
      endpoint?: string | undefined;
      /** Whether it has no token. */
      isPublic?: boolean;
    },
  ): Promise<HttpResponse> {
    const { url, config } = this.#way;
    const { body, endpoint = config.endpoint, isPublic = false } = options;
    // They may be secret.
    const headers = new URL(endpoint).origin === url.origin ? config.headers : [];
    const sentAtMs = Date.now();
    const send = async (target: AuthenticatedTarget) =>
      await withTimeout((signal) =>
        this.#client.request({
          ...{ method, url: target.url, body },
          headers: [
            ["user-agent", USER_AGENT],
            ...headers,
            ["content-type", "application/json"],
            ...options.headers ?? [],
            ...target.headers,
          ],
        }, { signal }), { timeoutMs: REQUEST_MS, signal: options.signal });
    const response = isPublic
      ? await send({ url: endpoint + path, headers: [] })
      : await callAuthenticated(this.#access, { path, isAccepted: provesToken }, send);
    const dateMs = Date.parse(response.headers.get("date") ?? "");
    if (!Number.isNaN(dateMs)) this.#clockErrorMs = dateMs - (sentAtMs + Date.now()) / 2;
    return response;
  }
}

/** Whether a panel refuses the token; what asks for a password in front of it does not do so in JSON. */
function isRefusal({ status, text, headers }: HttpResponse): boolean {
  return status === 401 && !headers.has("www-authenticate") && !isHtml(text);
}

/** The first of several addresses at which a panel answers; nothing secret is sent there. */
export async function panelAmong(
  addresses: readonly string[],
  { calls, signal }: { calls: Pick<PanelCalls, "version">; signal: AbortSignal },
): Promise<string | undefined> {
  const versions = await Promise.all(addresses.map((it) => calls.version(signal, it)));
  return addresses[versions.findIndex((version) => version !== undefined)];
}
