/**
 * The state machine of the link: chooses the transport of reports and schedules retries.
 *
 * It is a pure function of the state and an event; `link.ts` performs the effects.
 *
 * @module
 */

import { backoffMs } from "../async/backoff.ts";
import type { Config } from "../config/config.ts";
import { isSameTransport, type Transport } from "./transport.ts";

/** The options that the link follows. Panels without version 2 send orders by WebSocket only. */
export type LinkSettings = Pick<
  Config,
  "transport" | "protocolVersion" | "remoteControl" | "reconnectIntervalSeconds"
>;

/** Why a WebSocket could not be opened, as far as it matters for the next step. */
export type DialFailure =
  /** Something answered or at least accepted the connection: POST may work. */
  | "answered"
  /** The connection was refused. */
  | "refused"
  /** No name, no route or no answer. */
  | "no answer";

/** How an open WebSocket was closed. */
export type SocketEnd =
  /** Without a word, by the network or by a server that replaces it. */
  | "closed"
  /** By the server, which has sent a close frame. */
  | "close frame"
  /** By the agent: there was no answer in time. */
  | "timed out"
  /** By a rule of the server's, which it has named: the next connection is closed likewise. */
  | "refused"
  /** By the agent: the server went on sending too much, and will do so again. */
  | "flooded"
  /** By the agent: the server sent an invalid frame or too long a message. */
  | "protocol error";

/** An event of the link. */
export type LinkEvent =
  | { readonly kind: "start" }
  | { readonly kind: "opened" }
  | {
    readonly kind: "dial failed";
    readonly why: DialFailure;
    /** Time in which no other is wanted. */
    readonly retryAfterMs?: number | undefined;
  }
  | { readonly kind: "closed"; readonly durationMs: number; readonly end: SocketEnd }
  | { readonly kind: "accepted"; readonly transport: Transport }
  | {
    readonly kind: "failed";
    readonly transport: Transport;
    readonly why: ReportFailure;
    /** Time in which no other report is wanted. */
    readonly retryAfterMs?: number | undefined;
  }
  /** The delay of the last `wait` is over. */
  | { readonly kind: "timer" };

/** Why a report was not accepted. */
export type ReportFailure =
  /** The answer shows no sign of this version of the protocol. */
  | "unsupported protocol"
  /** The panel refused the content. */
  | "rejected"
  /** There were too many calls, for the panel or for a proxy in front of it. */
  | "limited"
  | "lost";

/** An action that follows from an event. */
export type LinkEffect =
  /** Dial a WebSocket; `opened` or `dial failed` follows, and `closed` after `opened`. */
  | { readonly kind: "dial"; readonly version: 1 | 2 }
  /** Send a report now; `accepted` or `failed` follows. */
  | { readonly kind: "report"; readonly transport: Transport }
  /** Emit `timer` after a delay, which replaces an earlier one. */
  | { readonly kind: "wait"; readonly ms: number }
  /** Close the WebSocket; `closed` follows. */
  | { readonly kind: "close" };

/** The state of the link. */
export interface LinkState {
  /** The transport that works; absent during an outage. */
  readonly transport?: Transport | undefined;
  /** The version of the protocol by which POST is being tried. */
  readonly trying?: 1 | 2 | undefined;
  readonly socket: "none" | "dialling" | "open";
  /** Version of the protocol of the current or last WebSocket. */
  readonly version: 1 | 2;
  /** Whether a report by the current WebSocket was answered. */
  readonly proven: boolean;
  /** Whether the version 1 WebSocket is used because no POST is supported. */
  readonly lastResort: boolean;
  /** When the current outage began. */
  readonly outageSinceMs?: number | undefined;
  /** Times that the link has waited in it. */
  readonly waits: number;
  /** No WebSocket is wanted before. */
  readonly noDialBeforeMs?: number | undefined;
  /** Attempts since the outage is more than a minute old. */
  readonly backoffAttempts: number;
  /** WebSockets in a row that could not be opened or did not last while POST worked. */
  readonly blocked: number;
  /** WebSockets in a row that were closed soon after they had been opened. */
  readonly shortConnections: number;
}

/** The next state, and the effects that lead to it. */
export interface LinkStep {
  readonly state: LinkState;
  readonly effects: readonly LinkEffect[];
}

/** The context of a step beside the state and the event. */
export interface LinkConditions {
  readonly settings: LinkSettings;
  readonly nowMs: number;
  /** From 0 up to, but not including, 1. */
  readonly random: number;
}

/** The state before `start`. */
export const INITIAL_LINK: LinkState = {
  socket: "none",
  version: 2,
  proven: false,
  lastResort: false,
  waits: 0,
  backoffAttempts: 0,
  blocked: 0,
  shortConnections: 0,
};

/** A WebSocket that is closed sooner did not last. */
const SHORT_CONNECTION_MS = 15_000;
/** Short connections in a row that are no coincidence. */
export const SHORT_CONNECTIONS_LIMIT = 3;

const FAST_RETRY_MS = 60_000;
const LONGEST_BACKOFF_MS = 30_000;
/** Delays after a refusal because of too many calls. */
const LIMITED_DELAYS = { baseMs: 10_000, maxMs: 60_000 };
/** Many agents may have been told to return at the same moment. */
const RETRY_AFTER_SPREAD_MS = 1_000;
/** Nothing reaches the panel then, so shorter delays do not burden it. */
const LONGEST_BACKOFF_NO_ANSWER_MS = 10_000;
const FIRST_SOCKET_RETRY_MS = 4_000;
/** Delay between attempts to leave the last resort. */
const LAST_RESORT_RETRY_MS = 60_000;

/** Computes the next state and the effects of an event. */
export function stepLink(state: LinkState, event: LinkEvent, conditions: LinkConditions): LinkStep {
  switch (event.kind) {
    case "start":
      return connect(state, conditions);
    case "timer":
      return timer(state, conditions);
    case "opened":
      return opened(state);
    case "dial failed":
      return dialFailed(state, event, conditions);
    case "closed":
      return closed(state, event, conditions);
    case "accepted":
      return accepted(state, event.transport, conditions);
    case "failed":
      return failed(state, event, conditions);
  }
}

/** Whether no WebSocket is tried before POST. */
function startsByPost({ transport, protocolVersion, remoteControl }: LinkSettings): boolean {
  return transport === "http" || (protocolVersion === 1 && !remoteControl);
}

/** Whether a WebSocket is better than POST, which works by this version. */
function wantsWebSocket(version: 1 | 2, settings: LinkSettings): boolean {
  if (settings.transport === "http") return false;
  return version === 2 ? settings.protocolVersion === 2 : settings.remoteControl;
}

function connect(state: LinkState, { nowMs, settings }: LinkConditions): LinkStep {
  const version = settings.protocolVersion;
  const isUnwanted = nowMs < (state.noDialBeforeMs ?? -Infinity);
  return startsByPost(settings) || isUnwanted ? tryPost(state, version) : dial(state, version);
}

function timer(state: LinkState, conditions: LinkConditions): LinkStep {
  const { settings } = conditions;
  if (state.trying !== undefined) return { state, effects: [] };
  if (state.socket === "open" && state.lastResort) return tryPost(state, settings.protocolVersion);
  if (state.socket !== "none") return { state, effects: [] };
  // Without a WebSocket that is POST.
  const { transport } = state;
  return transport === undefined ? connect(state, conditions) : dial(state, transport.version);
}

function dial(state: LinkState, version: 1 | 2): LinkStep {
  return { state: { ...state, socket: "dialling", version }, effects: [{ kind: "dial", version }] };
}

function opened(state: LinkState): LinkStep {
  const transport: Transport = { version: state.version, carrier: "WebSocket" };
  const open: LinkState = { ...state, trying: undefined, socket: "open", proven: false };
  // Version 2 by POST is kept until the new connection has answered a report.
  const isKept = state.transport?.carrier === "POST" && state.transport.version === 2;
  return {
    state: isKept ? open : { ...open, transport },
    effects: [{ kind: "report", transport }],
  };
}

function dialFailed(
  state: LinkState,
  { why, retryAfterMs }: LinkEvent & { kind: "dial failed" },
  conditions: LinkConditions,
): LinkStep {
  const noDialBeforeMs = retryAfterMs === undefined ? undefined : conditions.nowMs + retryAfterMs;
  const next: LinkState = { ...state, socket: "none", lastResort: false, noDialBeforeMs };
  if (state.transport !== undefined) return retrySocket(next, conditions);
  if (state.lastResort) {
    const reason = retryAfterMs === undefined ? "refused" : "limited";
    return retryAll(next, reason, { ...conditions, retryAfterMs });
  }
  if (why !== "answered") return retryAll(next, why, conditions);
  return tryPost(next, conditions.settings.protocolVersion);
}

function closed(
  state: LinkState,
  { durationMs, end }: LinkEvent & { kind: "closed" },
  conditions: LinkConditions,
): LinkStep {
  const isShort = durationMs < SHORT_CONNECTION_MS && end !== "timed out";
  const isRefused = end === "refused" || end === "flooded";
  const count = isShort || isRefused ? state.shortConnections + 1 : 0;
  // A refusal needs no repetition to be believed: POST is tried, and delays grow from now on.
  const shortConnections = isRefused ? Math.max(count, SHORT_CONNECTIONS_LIMIT) : count;
  // A connection that timed out is likely to do so again, and that takes long to notice.
  const proven = state.proven && end !== "timed out";
  return afterSocketClosed({ ...state, socket: "none", proven, shortConnections }, conditions);
}

function afterSocketClosed(state: LinkState, conditions: LinkConditions): LinkStep {
  const { nowMs, settings } = conditions;
  if (state.transport?.carrier === "POST") return retrySocket(state, conditions);
  const lost: LinkState = { ...state, transport: undefined, lastResort: false };
  // The attempt by POST that was in progress goes on.
  if (state.trying !== undefined) return { state: lost, effects: [] };
  if (state.lastResort) return retryAll(lost, "refused", conditions);
  if (!state.proven || state.shortConnections >= SHORT_CONNECTIONS_LIMIT) {
    return tryPost(lost, settings.protocolVersion);
  }
  // At once: a terminal's user waits for a second. Where a panel restarts this one is refused, and the
  // next ones are spread.
  return connect({ ...lost, outageSinceMs: nowMs, waits: 0, backoffAttempts: 0 }, conditions);
}

/** Sends one report by POST, to find out whether POST works. */
function tryPost(state: LinkState, version: 1 | 2): LinkStep {
  const transport: Transport = { version, carrier: "POST" };
  return { state: { ...state, trying: version }, effects: [{ kind: "report", transport }] };
}

function accepted(state: LinkState, transport: Transport, conditions: LinkConditions): LinkStep {
  const works: LinkState = {
    ...state,
    transport,
    outageSinceMs: undefined,
    waits: 0,
    backoffAttempts: 0,
  };
  if (transport.carrier === "WebSocket") {
    if (state.socket !== "open") return { state, effects: [] };
    const isNew = !state.proven;
    const next: LinkState = { ...works, proven: true, blocked: 0 };
    return isNew && state.lastResort
      ? retryLastResort(next, conditions)
      : { state: next, effects: [] };
  }
  if (isSameTransport(transport, state.transport)) return { state: works, effects: [] };
  return transport.version === state.trying
    ? postFound(works, transport.version, conditions)
    : { state, effects: [] };
}

/** POST works by a version that was tried. */
function postFound(found: LinkState, version: 1 | 2, conditions: LinkConditions): LinkStep {
  const state: LinkState = { ...found, trying: undefined, lastResort: false };
  // It is better than the last resort; the version 1 WebSocket ends, and then a better one is tried.
  if (state.socket === "open") return { state, effects: [{ kind: "close" }] };
  const { settings } = conditions;
  const isFirstV1 = version === 1 && settings.protocolVersion === 2 &&
    state.shortConnections < SHORT_CONNECTIONS_LIMIT;
  return isFirstV1 && state.socket === "none" && wantsWebSocket(version, settings)
    ? dial(state, 1)
    : retrySocket(state, conditions);
}

function failed(
  state: LinkState,
  { transport, why, retryAfterMs }: LinkEvent & { kind: "failed" },
  conditions: LinkConditions,
): LinkStep {
  const { version, carrier } = transport;
  if (carrier === "POST" && version === state.trying) {
    return tryFailed(state, version, { ...conditions, why, retryAfterMs });
  }
  // A refusal is an answer.
  if (carrier === "WebSocket" && why === "rejected") return accepted(state, transport, conditions);
  // A WebSocket without an answer is closed, which is an event of its own.
  const isCurrent = isSameTransport(transport, state.transport);
  if (!isCurrent || why === "rejected" || state.socket === "open") return { state, effects: [] };
  const retryWhy = why === "limited" ? why : "refused";
  return retryAll({ ...state, transport: undefined }, retryWhy, { ...conditions, retryAfterMs });
}

/** The report that tried POST was not accepted. */
function tryFailed(
  state: LinkState,
  version: 1 | 2,
  conditions: LinkConditions & { why: ReportFailure; retryAfterMs: number | undefined },
): LinkStep {
  const { why, settings } = conditions;
  const idle: LinkState = { ...state, trying: undefined };
  // A refusal of its content proves that this version is there.
  if (why === "rejected") {
    const transport: Transport = { version, carrier: "POST" };
    return postFound({ ...idle, transport, outageSinceMs: undefined }, version, conditions);
  }
  if (why === "unsupported protocol") {
    if (version === settings.protocolVersion) return tryPost(state, version === 2 ? 1 : 2);
    if (state.socket === "none" && settings.transport !== "http") {
      return dial({ ...idle, lastResort: true }, 1);
    }
  }
  return state.socket === "open" && state.lastResort
    ? retryLastResort(idle, conditions)
    : retryAll(idle, why === "limited" ? why : "refused", conditions);
}

/** Schedules the next attempt to leave the last resort. */
function retryLastResort(state: LinkState, { random }: LinkConditions): LinkStep {
  const ms = backoffMs(0, { baseMs: LAST_RESORT_RETRY_MS, maxMs: LAST_RESORT_RETRY_MS, random });
  return { state, effects: [{ kind: "wait", ms }] };
}

/** Schedules the next attempt to open a WebSocket while POST works; the delay grows up to 30 s. */
function retrySocket(state: LinkState, { nowMs, random, settings }: LinkConditions): LinkStep {
  const { transport } = state;
  if (transport?.carrier === "POST" && !wantsWebSocket(transport.version, settings)) {
    return { state, effects: [] };
  }
  const attempts = Math.max(state.blocked, state.shortConnections - SHORT_CONNECTIONS_LIMIT);
  const usualMs = backoffMs(attempts, {
    baseMs: FIRST_SOCKET_RETRY_MS,
    maxMs: LONGEST_BACKOFF_MS,
    random,
  });
  const { noDialBeforeMs } = state;
  const ms = noDialBeforeMs === undefined
    ? usualMs
    : Math.max(usualMs, noDialBeforeMs - nowMs + random * RETRY_AFTER_SPREAD_MS);
  return {
    state: { ...state, blocked: Math.min(state.blocked + 1, 10) },
    effects: [{ kind: "wait", ms }],
  };
}

/**
 * Nothing works: schedules the next attempt from the start.
 *
 * The first delay is random: many agents lose their connections in the same instant when a panel or a
 * proxy restarts. They are spread then, and the next delays keep them so.
 */
function retryAll(
  state: LinkState,
  why: Exclude<DialFailure, "answered"> | "limited",
  conditions: LinkConditions & { retryAfterMs?: number | undefined },
): LinkStep {
  const { nowMs, random, settings } = conditions;
  const outageSinceMs = state.outageSinceMs ?? nowMs;
  const isBackingOff = nowMs - outageSinceMs >= FAST_RETRY_MS;
  const backoffAttempts = isBackingOff ? Math.min(state.backoffAttempts + 1, 10) : 0;
  const slowestMs = why === "no answer" ? LONGEST_BACKOFF_NO_ANSWER_MS : LONGEST_BACKOFF_MS;
  const baseMs = settings.reconnectIntervalSeconds * 1000;
  const maxMs = Math.max(baseMs, slowestMs);
  const { waits } = state;
  const eagerMs = waits === 0 ? random * baseMs : Math.min(baseMs * Math.min(waits, 2), maxMs);
  const usualMs = isBackingOff
    ? random * backoffMs(backoffAttempts + 1, { baseMs, maxMs })
    : eagerMs;
  const { retryAfterMs } = conditions;
  const wantedMs = retryAfterMs === undefined
    ? backoffMs(Math.min(waits, 10), { ...LIMITED_DELAYS, random })
    : retryAfterMs + random * RETRY_AFTER_SPREAD_MS;
  const ms = why === "limited" ? Math.max(usualMs, wantedMs) : usualMs;
  return {
    state: { ...state, outageSinceMs, waits: waits + 1, backoffAttempts },
    effects: [{ kind: "wait", ms }],
  };
}
