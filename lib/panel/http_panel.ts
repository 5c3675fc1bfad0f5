import { PanelError } from "../errors.ts";
import {
  parseTaskList,
  type TaskList,
  type WireBasicInfo,
  type WireProbeResult,
  type WireReport,
} from "../protocol.ts";
import { type Exchange, exchange } from "./exchange.ts";

/** Which panel, as which node. */
export interface PanelAccess {
  /** Base URL without a slash at its end. */
  readonly endpoint: string;
  readonly token: string;
  readonly userAgent: string;
}

/** A panel by its HTTP interface, the one that every version of it has. */
export class HttpPanel {
  readonly #access: PanelAccess;
  readonly #headers: { readonly get: Headers; readonly post: Headers };

  constructor(access: PanelAccess) {
    this.#access = access;
    const common = { "accept": "application/json", "user-agent": access.userAgent };
    this.#headers = {
      get: new Headers(common),
      post: new Headers({ ...common, "content-type": "application/json" }),
    };
  }

  /** @throws {PanelError} When the panel did not take it. */
  async sendReport(report: WireReport, signal: AbortSignal): Promise<void> {
    await this.#post("send report", "report", report, { timeoutMs: 10_000, signal });
  }

  /** The panel may take 5 s for it, since it looks up the country. @throws {PanelError} */
  async sendBasicInfo(info: WireBasicInfo, signal: AbortSignal): Promise<void> {
    await this.#post("send basic info", "uploadBasicInfo", info, { timeoutMs: 20_000, signal });
  }

  /** @throws {PanelError} When the panel did not take it. */
  async sendProbeResult(result: WireProbeResult, signal: AbortSignal): Promise<void> {
    await this.#post("send probe result", "ping/result", result, { timeoutMs: 10_000, signal });
  }

  /** @throws {PanelError} When there is no readable list. */
  async fetchTasks(signal: AbortSignal): Promise<TaskList> {
    const call = this.#call("GET", "fetch probe tasks", "ping/tasks", { timeoutMs: 10_000 });
    const text = await exchange(call, { signal, headers: this.#headers.get });
    try {
      return parseTaskList(text);
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause;
      throw unreadable(call, text, cause);
    }
  }

  async #post(
    verb: string,
    path: string,
    message: WireReport | WireBasicInfo | WireProbeResult,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<void> {
    const body = JSON.stringify(message);
    const call = this.#call("POST", verb, path, { timeoutMs: options.timeoutMs, body });
    const text = await exchange(call, { signal: options.signal, headers: this.#headers.post });
    // Old panels, and proxies in front of any, answer 200 with HTML to what they don't know.
    if (!isSuccess(text)) throw unreadable(call, text);
  }

  #call(
    method: Exchange["method"],
    verb: string,
    path: string,
    rest: Pick<Exchange, "timeoutMs" | "body">,
  ): Exchange {
    const { endpoint, token } = this.#access;
    return {
      name: `${verb} (${method} /api/clients/${path})`,
      url: `${endpoint}/api/clients/${path}?token=${encodeURIComponent(token)}`,
      method,
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

function unreadable(call: Exchange, text: string, cause?: unknown): PanelError {
  const what = /^\s*</.test(text)
    ? "the answer is a page of HTML, not a panel's; is the address right?"
    : "the answer is not a panel's";
  return new PanelError(`Cannot ${call.name}: ${what}`, { failure: "unreadable", cause });
}
