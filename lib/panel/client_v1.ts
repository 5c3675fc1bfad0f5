import { jsonFields, parseJson } from "../parse/json.ts";
import {
  CALL_TIMEOUT_MS,
  foreignAnswer,
  type PanelCall,
  type PanelFetch,
  type PanelResponse,
  statusError,
} from "./http_exchange.ts";
import { encodeJson } from "./json_body.ts";
import { parseTaskList, type TaskList } from "./task_list.ts";
import type { WireBasicInfo, WireCommandResult, WireProbeResult, WireReport } from "./protocol.ts";

/** A list of 10,000 tasks takes most of it. */
const TASKS_LIMIT_BYTES = 1024 * 1024;

/** Version 1 of the panel's protocol, by HTTP: panels up to 1.4 have it. */
export class ClientV1 {
  readonly #fetch: PanelFetch;

  constructor(fetch: PanelFetch) {
    this.#fetch = fetch;
  }

  /** Sends a report. @throws {PanelError} When it is not accepted. */
  async sendReport(
    report: WireReport,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<void> {
    await this.#post("send report", "report", report, options);
  }

  /** Sends basic info. @throws {PanelError} When it is not accepted. */
  async sendBasicInfo(info: WireBasicInfo, signal: AbortSignal): Promise<void> {
    const options = { timeoutMs: CALL_TIMEOUT_MS.basicInfo, signal };
    await this.#post("send basic info", "uploadBasicInfo", info, options);
  }

  /** Sends the result of a probe. @throws {PanelError} When it is not accepted. */
  async sendProbeResult(result: WireProbeResult, signal: AbortSignal): Promise<void> {
    const options = { timeoutMs: CALL_TIMEOUT_MS.probeResult, signal };
    await this.#post("send probe result", "ping/result", result, options);
  }

  /** Sends the result of a command. @throws {PanelError} When it is not accepted. */
  async sendCommandResult(result: WireCommandResult, signal: AbortSignal): Promise<void> {
    const options = { timeoutMs: CALL_TIMEOUT_MS.commandResult, signal };
    // Panels up to 1.1.8 refuse an empty result.
    const message = result.result === "" ? { ...result, result: " " } : result;
    await this.#post("send command result", "task/result", message, options);
  }

  /** Fetches the probe tasks. @throws {PanelError} */
  async fetchTasks(signal: AbortSignal): Promise<TaskList> {
    const options = { timeoutMs: CALL_TIMEOUT_MS.tasks, limitBytes: TASKS_LIMIT_BYTES, signal };
    const { name, response } = await this.#request("fetch probe tasks", "ping/tasks", options);
    try {
      return parseTaskList(response.text);
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause;
      throw foreignAnswer(name, response);
    }
  }

  async #post(
    verb: string,
    path: string,
    message: WireReport | WireBasicInfo | WireProbeResult | WireCommandResult,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<void> {
    const body = await encodeJson(message);
    const { name, response } = await this.#request(verb, path, { ...options, body });
    // Proxies answer 200 with a page of HTML to paths that they don't know.
    const { status } = jsonFields(parseJson(response.text));
    if (status !== "success") throw foreignAnswer(name, response);
  }

  /** Posts a body, or gets where there is none; gives the name of the call, and the answer. */
  async #request(
    verb: string,
    path: string,
    { signal, ...rest }: {
      timeoutMs: number;
      signal: AbortSignal;
      body?: PanelCall["body"];
      limitBytes?: number;
    },
  ): Promise<{ name: string; response: PanelResponse }> {
    const isPost = rest.body !== undefined;
    const method = isPost ? "POST" : "GET";
    const name = `${verb} (${method} /api/clients/${path})`;
    const response = await this.#fetch({
      name,
      path: `/api/clients/${path}`,
      method,
      headers: [
        ["accept", "application/json"],
        ...(isPost ? [["content-type", "application/json"] as const] : []),
      ],
      ...rest,
    }, signal);
    if (response.status === 200) return { name, response };
    throw isUnsupported(response) ? foreignAnswer(name, response) : statusError(name, response);
  }
}

/** A panel without version 1, or no panel at all; one that is not set up answers 404 with JSON. */
function isUnsupported({ status, text }: PanelResponse): boolean {
  if (status === 405 || status === 501) return true;
  return status === 404 && !/^\s*[{[]/.test(text);
}
