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
import type { Diagnosis, Seen } from "../diagnosis/cause.ts";
import { isHtml, reasonOf } from "../diagnosis/page.ts";
import {
  CALL_TIMEOUT_MS,
  createPanelFetch,
  foreignAnswer,
  type PanelResponse,
  statusError,
  STOP_GRACE_MS,
} from "./http_exchange.ts";
import { MessageLimit } from "./message_limit.ts";
import { type NodeCredentials, parseNode } from "./node_store.ts";
import { diagnosisOf, PanelConnection } from "./panel_connection.ts";
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
  readonly #dialer: NetDialer;

  /** @param system How names are resolved. */
  constructor(config: Config, system?: SystemResolver) {
    this.#config = config;
    this.#system = system;
    this.#dialer = new NetDialer(config, system);
  }

  /** The cause of a failure; `undefined` where nothing was observed of it. */
  diagnose(error: unknown): Diagnosis | undefined {
    const { endpoint, autoDiscoveryKey: token } = this.#config;
    return diagnosisOf(error, { endpoint, token }, { config: this.#config, dialer: this.#dialer });
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
    const dialer = this.#dialer;
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
      if (error instanceof PanelError) return { kind: isSent ? "doubtful" : "failed", error };
      if (isSent) throw error;
      // It was to end before anything was sent.
      return { kind: "failed", error: failed("not sent", "unreachable") };
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
  // A page is not the panel's own refusal.
  if ((status === 401 || status === 403) && !isHtml(text)) {
    const reason = `status ${status}${reasonOf(text)}`;
    const seen = { stage: "key", error: reason, answer } as const;
    return { kind: "refused", error: failed(reason, "unauthorized", { status, seen }) };
  }
  if (status !== 200) {
    const kind = LATE.includes(status) ? "doubtful" : status === 403 ? "refused" : "failed";
    return { kind, error: statusError(CALL, answer) };
  }
  if (isHtml(text)) return { kind: "failed", error: foreignAnswer(CALL, answer) };
  try {
    return { kind: "registered", node: parseRegistration(text) };
  } catch (cause) {
    const error = failed("the answer names no node", "unreadable", { cause });
    return { kind: "doubtful", error };
  }
}

function failed(
  reason: string,
  failure: PanelFailure,
  more: { status?: number; seen?: Seen; cause?: unknown } = {},
): PanelError {
  return new PanelError(`Cannot ${CALL}: ${reason}`, { failure, ...more });
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
