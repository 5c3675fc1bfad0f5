import type { ConnectionConfig } from "../config/connection.ts";
import { PanelError } from "../panel/panel_error.ts";
import { LineDialler } from "../line/line_dialler.ts";
import { type Exchange, exchanger, isHtml, type PanelAnswer, refusal } from "../panel/exchange.ts";
import { HttpClient } from "../panel/http_client.ts";
import { HttpPanel } from "../panel/http_panel.ts";
import { parseRegistration, type RegisteredNode } from "../parse/registration.ts";
import { USER_AGENT } from "../version.ts";

/** What became of a try to register. */
export type Registration =
  | { readonly kind: "registered"; readonly node: RegisteredNode }
  /** The key is not the panel's, or registering is off there. */
  | { readonly kind: "refused"; readonly error: PanelError }
  | {
    readonly kind: "failed";
    readonly error: PanelError;
    /** The panel may have made a node, only that nobody has heard of it. */
    readonly isDoubtful: boolean;
  };

/** At which panel, by which way, and as whom. */
export interface RegistrarOptions {
  readonly endpoint: string;
  readonly key: string;
  /** The node's name, which the panel puts `Auto-` before. */
  readonly name: string;
  readonly way: ConnectionConfig;
}

const TIMEOUT_MS = 30_000;

/** What the panel has done in answer to a call that is under way must not be lost by a stop. */
const STOP_GRACE_MS = 500;

/** Registers this machine at a panel, by the same way as reports go. */
export class Registrar {
  readonly #options: RegistrarOptions;

  constructor(options: RegistrarOptions) {
    this.#options = options;
  }

  /**
   * Makes one try; each that succeeds makes another node, so one that is under way when `signal`
   * aborts has a moment to end.
   *
   * @throws The signal's reason.
   */
  async register(signal: AbortSignal): Promise<Registration> {
    signal.throwIfAborted();
    const ended = new AbortController();
    let grace: ReturnType<typeof setTimeout> | undefined;
    const stop = () => grace = setTimeout(() => ended.abort(signal.reason), STOP_GRACE_MS);
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await this.#register(ended.signal);
    } finally {
      signal.removeEventListener("abort", stop);
      clearTimeout(grace);
    }
  }

  async #register(signal: AbortSignal): Promise<Registration> {
    const { endpoint, key, name } = this.#options;
    const call: Exchange = {
      name: "register (POST /api/clients/register)",
      url: `${endpoint}/api/clients/register?name=${encodeURIComponent(name)}`,
      method: "POST",
      headers: [["accept", "application/json"], ["authorization", `Bearer ${key}`]],
      timeoutMs: TIMEOUT_MS,
    };
    // A proxy's own login can't go along: the panel wants the key in its place.
    const others = this.#headers().filter(([header]) => header.toLowerCase() !== "authorization");
    let isSent = false;
    const dialler = new LineDialler(this.#options.way);
    const client = new HttpClient({
      dialler: {
        async open(url, options) {
          const line = await dialler.open(url, options);
          isSent = true;
          return line;
        },
      },
    });
    try {
      return outcomeOf(await exchanger(client, others)(call, signal), call);
    } catch (error) {
      if (!(error instanceof PanelError)) throw error;
      return { kind: "failed", error, isDoubtful: isSent };
    } finally {
      client.close();
    }
  }

  /** Whether the panel knows a token. @throws {PanelError} When it does not say. */
  async knows(token: string, signal: AbortSignal): Promise<boolean> {
    const { endpoint, way } = this.#options;
    const client = new HttpClient({ dialler: new LineDialler(way) });
    const panel = new HttpPanel({ endpoint, token }, {
      exchange: exchanger(client, this.#headers()),
    });
    try {
      await panel.fetchTasks(signal);
      return true;
    } catch (error) {
      if (error instanceof PanelError && error.failure === "unauthorized") return false;
      throw error;
    } finally {
      client.close();
    }
  }

  #headers(): (readonly [string, string])[] {
    return [["user-agent", USER_AGENT], ...this.#options.way.headers];
  }
}

/** Answers of what stands before a panel when that took too long. */
const LATE = [408, 504, 522, 524];

function outcomeOf(answer: PanelAnswer, { name }: Exchange): Registration {
  const { status, text } = answer;
  if (status === 200) return registered(text, name);
  const error = status === 401
    ? new PanelError(`Cannot ${name}: status 401`, { failure: "unauthorized", status })
    : refusal(name, answer);
  return status === 401 || status === 403
    ? { kind: "refused", error }
    : { kind: "failed", error, isDoubtful: LATE.includes(status) };
}

function registered(text: string, name: string): Registration {
  try {
    return { kind: "registered", node: parseRegistration(text) };
  } catch (cause) {
    const isPage = isHtml(text);
    const what = isPage
      ? "the answer is a page of HTML, not a panel's; is the address right?"
      : "the answer names no node";
    const error = new PanelError(`Cannot ${name}: ${what}`, { failure: "unreadable", cause });
    return { kind: "failed", error, isDoubtful: !isPage };
  }
}
