import { isHtml, type PanelCall, type PanelFetch, statusError } from "./http_exchange.ts";
import { parseTaskList, type TaskList } from "./messages.ts";
import { PanelError } from "./panel_error.ts";
import type { WireBasicInfo, WireCommandResult, WireProbeResult, WireReport } from "./protocol.ts";

/** Which panel, as which node. */
export interface PanelAccess {
  /** Base URL without a slash at its end. */
  readonly endpoint: string;
  /** Asked for at each call. */
  readonly token: string;
}

/** A panel by its HTTP interface, the one that every version of it has. */
export class ClientV1 {
  readonly #access: PanelAccess;
  readonly #exchange: PanelFetch;
  /** The last list of tasks, which is most often the next one too: 10,000 of them are megabytes. */
  #tasks: { readonly text: string; readonly list: TaskList } | undefined;

  constructor(access: PanelAccess, options: { exchange: PanelFetch }) {
    this.#access = access;
    this.#exchange = options.exchange;
  }

  /** @throws {PanelError} When the panel did not take it. */
  async sendReport(
    report: WireReport,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<void> {
    await this.#post("send report", "report", report, options);
  }

  /** The panel may take 5 s for it, since it looks up the country. @throws {PanelError} */
  async sendBasicInfo(info: WireBasicInfo, signal: AbortSignal): Promise<void> {
    await this.#post("send basic info", "uploadBasicInfo", info, { timeoutMs: 20_000, signal });
  }

  /** @throws {PanelError} When the panel did not take it. */
  async sendProbeResult(result: WireProbeResult, signal: AbortSignal): Promise<void> {
    await this.#post("send probe result", "ping/result", result, { timeoutMs: 10_000, signal });
  }

  /** @throws {PanelError} When the panel did not take it. */
  async sendCommandResult(result: WireCommandResult, signal: AbortSignal): Promise<void> {
    const options = { timeoutMs: 30_000, signal };
    await this.#post("send command result", "task/result", result, options);
  }

  /** The same object again as long as nothing changes. @throws {PanelError} When none is readable. */
  async fetchTasks(signal: AbortSignal): Promise<TaskList> {
    const call = this.#call("GET", "fetch probe tasks", "ping/tasks", { timeoutMs: 10_000 });
    const text = await this.#answer(call, signal);
    if (this.#tasks?.text === text) return this.#tasks.list;
    try {
      const list = parseTaskList(text);
      this.#tasks = { text, list };
      return list;
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause;
      throw unreadable(call, text, cause);
    }
  }

  async #post(
    verb: string,
    path: string,
    message: WireReport | WireBasicInfo | WireProbeResult | WireCommandResult,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<void> {
    const body = JSON.stringify(message);
    const call = this.#call("POST", verb, path, { timeoutMs: options.timeoutMs, body });
    const text = await this.#answer(call, options.signal);
    // Old panels, and proxies in front of any, answer 200 with HTML to what they don't know.
    if (!isSuccess(text)) throw unreadable(call, text);
  }

  async #answer(call: PanelCall, signal: AbortSignal): Promise<string> {
    const answer = await this.#exchange(call, signal);
    if (answer.status !== 200) throw statusError(call.name, answer);
    return answer.text;
  }

  #call(
    method: PanelCall["method"],
    verb: string,
    path: string,
    rest: Pick<PanelCall, "timeoutMs" | "body">,
  ): PanelCall {
    const { endpoint, token } = this.#access;
    return {
      name: `${verb} (${method} /api/clients/${path})`,
      url: `${endpoint}/api/clients/${path}?token=${encodeURIComponent(token)}`,
      method,
      headers: [
        ["accept", "application/json"],
        ...(method === "POST" ? [["content-type", "application/json"] as const] : []),
      ],
      ...rest,
    };
  }
}

function isSuccess(text: string): boolean {
  // The usual answer, which needs no parsing.
  if (text === '{"status":"success"}') return true;
  try {
    const { status }: Record<string, unknown> = { ...JSON.parse(text) };
    return status === "success";
  } catch {
    return false;
  }
}

function unreadable(call: PanelCall, text: string, cause?: unknown): PanelError {
  const what = isHtml(text)
    ? "the answer is a page of HTML, not a panel's; is the address right?"
    : "the answer is not a panel's";
  return new PanelError(`Cannot ${call.name}: ${what}`, { failure: "unreadable", cause });
}
