/**
 * The calls about a registration: one that makes a node at the panel, and one that makes none and
 * asks whether a token is known.
 *
 * @module
 */

import { settlesWithin } from "../async/timeout.ts";
import type { Config } from "../config/config.ts";
import { hostName } from "../host/local_host.ts";
import { NetDialer } from "../net/dialer.ts";
import type { SystemResolver } from "../net/dns.ts";
import { HttpClient } from "../net/http_client.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { USER_AGENT } from "../version.ts";
import { LearnedTokenPlace } from "./authentication.ts";
import { CALL_TIMEOUT_MS, STOP_GRACE_MS } from "./call_timeouts.ts";
import { isHtml } from "../diagnosis/page.ts";
import { createPanelFetch, type PanelResponse, statusError } from "./http_exchange.ts";
import { MessageLimit } from "./message_limit.ts";
import { type NodeCredentials, parseNode } from "./node_store.ts";
import { PanelConnection } from "./panel_connection.ts";
import { PanelError, type PanelFailure } from "./panel_error.ts";

/** The outcome of an attempt to register. */
export type RegistrationOutcome =
  | { readonly kind: "registered"; readonly node: NodeCredentials }
  /**
   * `refused`: the key is wrong, or registration is disabled at the panel. `doubtful`: the panel may
   * have made a node although no valid answer came.
   */
  | { readonly kind: "refused" | "failed" | "doubtful"; readonly error: PanelError };

const CALL = "register (POST /api/clients/register)";

/** The calls about a registration, over the same connection settings as reports. */
export class RegistrationClient {
  readonly #config: Config;
  /** The node's, which the panel prefixes with `Auto-`; a sealed process can't ask for it. */
  readonly #name = hostName();
  readonly #system: SystemResolver | undefined;

  /** @param system How names are resolved. */
  constructor(config: Config, system?: SystemResolver) {
    this.#config = config;
    this.#system = system;
  }

  /**
   * Makes one attempt. A call in flight when `signal` aborts gets a moment to end, because the panel
   * may have made a node already.
   *
   * @throws The signal's reason.
   */
  async register(signal: AbortSignal): Promise<RegistrationOutcome> {
    signal.throwIfAborted();
    const ended = new AbortController();
    const attempt = this.#register(ended.signal);
    const hasEnded = await settlesWithin(attempt, CALL_TIMEOUT_MS.register, { signal });
    if (!hasEnded) await settlesWithin(attempt, STOP_GRACE_MS);
    ended.abort(signal.reason);
    return await attempt;
  }

  async #register(signal: AbortSignal): Promise<RegistrationOutcome> {
    const { endpoint, autoDiscoveryKey: key, headers } = this.#config;
    // A login of a reverse proxy can't be sent: the panel wants the key in the same header.
    const others = headers.filter(([header]) => header.toLowerCase() !== "authorization");
    const dialer = new NetDialer(this.#config, this.#system);
    let isSent = false;
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
      const access = { endpoint, token: key, tokenPlace: new LearnedTokenPlace("header") };
      const headers = [["user-agent", USER_AGENT] as const, ...others];
      const limit = new MessageLimit();
      const answer = await createPanelFetch(access, { client, headers, limit })({
        name: CALL,
        path: "/api/clients/register",
        query: { name: this.#name },
        method: "POST",
        headers: [["accept", "application/json"], ["content-type", "application/json"]],
        // Panels read the header alone; the official agent sends the key here too.
        body: JSON.stringify({ key }),
        timeoutMs: CALL_TIMEOUT_MS.register,
      }, signal);
      return outcomeOf(answer);
    } catch (error) {
      if (!(error instanceof PanelError)) throw error;
      return { kind: isSent ? "doubtful" : "failed", error };
    } finally {
      client.close();
    }
  }

  /**
   * Whether the panel accepts a token, by a call that does not bring the node online.
   *
   * @throws {PanelError} When that is not clear from its answer.
   * @throws The signal's reason.
   */
  async isTokenKnown(token: string, signal: AbortSignal): Promise<boolean> {
    const { endpoint } = this.#config;
    const connection = new PanelConnection({ endpoint, token }, this.#config, [], this.#system);
    try {
      return await connection.isTokenKnown(signal);
    } finally {
      connection.close();
    }
  }
}

/** Status codes of reverse proxies whose panel took too long. */
const LATE = [408, 504, 522, 524];

function outcomeOf(answer: PanelResponse): RegistrationOutcome {
  const { status, text } = answer;
  const failed = (reason: string, failure: PanelFailure, cause?: unknown) =>
    new PanelError(`Cannot ${CALL}: ${reason}`, { failure, status, cause });
  if (status === 401) return { kind: "refused", error: failed("status 401", "unauthorized") };
  if (status === 403) return { kind: "refused", error: statusError(CALL, answer) };
  // A panel that is not set up answers 404 with JSON.
  if (status === 404 && !/^\s*[{[]/.test(text)) {
    const reason = "status 404; another path, or another server?";
    return { kind: "failed", error: failed(reason, "unavailable") };
  }
  if (status !== 200) {
    const kind = LATE.includes(status) ? "doubtful" : "failed";
    return { kind, error: statusError(CALL, answer) };
  }
  if (isHtml(text)) {
    const reason = "the answer is a page of HTML, not a panel's; is the address right?";
    return { kind: "failed", error: failed(reason, "unreadable") };
  }
  try {
    return { kind: "registered", node: parseRegistration(text) };
  } catch (cause) {
    const error = failed("the answer names no node", "unreadable", cause);
    return { kind: "doubtful", error };
  }
}

/**
 * Parses a panel's response to a registration.
 *
 * @throws {SyntaxError} When it names no node; the message quotes nothing, since the text may hold a
 * token.
 */
export function parseRegistration(text: string): NodeCredentials {
  const { status, data } = jsonFields(parseJson(text));
  return parseNode(status === "success" ? data : undefined);
}
