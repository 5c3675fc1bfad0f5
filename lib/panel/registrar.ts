import type { ConnectionConfig } from "../config/config.ts";
import { NetDialer } from "../net/dialer.ts";
import { HttpClient } from "../net/http_client.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { USER_AGENT } from "../version.ts";
import { CALL_TIMEOUT_MS, STOP_GRACE_MS } from "./call_timeouts.ts";
import { ClientV1 } from "./client_v1.ts";
import { ClientV2, isUnknownMethod } from "./client_v2.ts";
import {
  createPanelFetch,
  isHtml,
  type PanelCall,
  type PanelResponse,
  statusError,
} from "./http_exchange.ts";
import { PanelError } from "./panel_error.ts";

/** A node that has registered itself at a panel. */
export interface RegisteredNode {
  readonly uuid: string;
  /** The node's secret. */
  readonly token: string;
}

/**
 * Parses a panel's response to a registration.
 *
 * @throws {SyntaxError} When it names no node; the message quotes nothing, since the text may hold a
 * token.
 */
export function parseRegistration(text: string): RegisteredNode {
  const { status, data } = jsonFields(parseJson(text));
  if (status !== "success") throw unreadable();
  return nodeOf(data);
}

/**
 * Parses the file `auto-discovery.json` of an official agent.
 *
 * @throws {SyntaxError} When it names no node; the message quotes nothing.
 */
export function parseOfficialNode(text: string): RegisteredNode {
  return nodeOf(parseJson(text));
}

/** Checks that an untrusted value is a node. @throws {SyntaxError} When it is none. */
export function nodeOf(value: unknown): RegisteredNode {
  const { uuid, token } = jsonFields(value);
  if (typeof uuid !== "string" || !/^[\w-]{1,64}$/.test(uuid)) throw unreadable();
  if (typeof token !== "string" || !/^[!-~]{1,256}$/.test(token)) throw unreadable();
  return { uuid, token };
}

function unreadable(): SyntaxError {
  return new SyntaxError("Cannot read the node: there is no uuid with a token");
}

/** The outcome of an attempt to register. */
export type RegistrationOutcome =
  | { readonly kind: "registered"; readonly node: RegisteredNode }
  /** The key is wrong, or registration is disabled at the panel. */
  | { readonly kind: "refused"; readonly error: PanelError }
  | {
    readonly kind: "failed";
    readonly error: PanelError;
    /** The panel may have made a node although no valid answer came. */
    readonly isDoubtful: boolean;
  };

/** Settings of a registrar. */
export interface RegistrarOptions {
  readonly endpoint: string;
  readonly key: string;
  /** The node's name, which the panel prefixes with `Auto-`. */
  readonly name: string;
  readonly connection: ConnectionConfig;
}

/** A method that no panel has: a call of it changes nothing. */
const UNKNOWN_METHOD = "agent.noop";

/** Registers this machine at a panel, over the same connection settings as reports. */
export class Registrar {
  readonly #options: RegistrarOptions;

  constructor(options: RegistrarOptions) {
    this.#options = options;
  }

  /**
   * Makes one attempt. Each success makes another node, so a call in flight when `signal` aborts gets
   * a moment to end.
   *
   * @throws The signal's reason.
   */
  async register(signal: AbortSignal): Promise<RegistrationOutcome> {
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

  async #register(signal: AbortSignal): Promise<RegistrationOutcome> {
    const { endpoint, key, name } = this.#options;
    const call: PanelCall = {
      name: "register (POST /api/clients/register)",
      url: `${endpoint}/api/clients/register?name=${encodeURIComponent(name)}`,
      method: "POST",
      headers: [
        ["accept", "application/json"],
        ["content-type", "application/json"],
        ["authorization", `Bearer ${key}`],
      ],
      // Panels read the header alone; the official agent sends the key here too.
      body: JSON.stringify({ key }),
      timeoutMs: CALL_TIMEOUT_MS.register,
    };
    // A login of a reverse proxy can't be sent: the panel wants the key in the same header.
    const others = this.#headers().filter(([header]) => header.toLowerCase() !== "authorization");
    let isSent = false;
    const dialer = new NetDialer(this.#options.connection);
    const client = new HttpClient({
      dialer: {
        async dial(url, options) {
          const dialed = await dialer.dial(url, options);
          isSent = true;
          return dialed;
        },
      },
    });
    try {
      return outcomeOf(await createPanelFetch(client, others)(call, signal), call);
    } catch (error) {
      if (!(error instanceof PanelError)) throw error;
      return { kind: "failed", error, isDoubtful: isSent };
    } finally {
      client.close();
    }
  }

  /** Whether the panel accepts a token. @throws {PanelError} When that is not clear from its answer. */
  async isTokenKnown(token: string, signal: AbortSignal): Promise<boolean> {
    const { endpoint, connection } = this.#options;
    return await isTokenKnown({ endpoint, token }, { connection, signal });
  }

  #headers(): (readonly [string, string])[] {
    return panelHeaders(this.#options.connection);
  }
}

function panelHeaders(
  { headers }: Pick<ConnectionConfig, "headers">,
): (readonly [string, string])[] {
  return [["user-agent", USER_AGENT], ...headers];
}

/**
 * Whether a panel accepts a token, by a call that does not bring the node online.
 *
 * @throws {PanelError} When that is not clear from its answer.
 * @throws The signal's reason.
 */
export async function isTokenKnown(
  access: { readonly endpoint: string; readonly token: string },
  { connection, signal }: { connection: ConnectionConfig; signal: AbortSignal },
): Promise<boolean> {
  const client = new HttpClient({ dialer: new NetDialer(connection) });
  const fetch = createPanelFetch(client, panelHeaders(connection));
  try {
    // Panels check the token first, and refuse the method then; those without version 2 are asked
    // for the task list.
    const call = {
      method: UNKNOWN_METHOD,
      params: {},
      timeoutMs: CALL_TIMEOUT_MS.register,
      signal,
    };
    await new ClientV2(access, { fetch, compresses: false }).call(call).catch(async (error) => {
      if (isUnknownMethod(error)) return;
      if (!isUnsupported(error)) throw error;
      await new ClientV1(access, { fetch }).fetchTasks(signal);
    });
    return true;
  } catch (error) {
    if (error instanceof PanelError && error.failure === "unauthorized") return false;
    throw error;
  } finally {
    client.close();
  }
}

function isUnsupported(error: unknown): boolean {
  return error instanceof PanelError && error.failure === "unsupported protocol";
}

/** Status codes of reverse proxies whose panel took too long. */
const LATE = [408, 504, 522, 524];

function outcomeOf(answer: PanelResponse, { name }: PanelCall): RegistrationOutcome {
  const { status, text } = answer;
  if (status === 200) return registered(text, name);
  const error = refusal(name, answer);
  return status === 401 || status === 403
    ? { kind: "refused", error }
    : { kind: "failed", error, isDoubtful: LATE.includes(status) };
}

function refusal(name: string, answer: PanelResponse): PanelError {
  const { status, text } = answer;
  if (status === 401) {
    return new PanelError(`Cannot ${name}: status 401`, { failure: "unauthorized", status });
  }
  // A panel that is not set up answers 404 with JSON.
  if (status !== 404 || /^\s*[{[]/.test(text)) return statusError(name, answer);
  const message = `Cannot ${name}: status 404; is the path of the panel's address right?`;
  return new PanelError(message, { failure: "unavailable", status });
}

function registered(text: string, name: string): RegistrationOutcome {
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
