/**
 * What is known of the link to the panel, what can happen to it, and what can be done about that.
 *
 * Decides by which transport reports go: a pure function of what has happened.
 *
 * @module
 */

/** A transport to the panel. */
export type Transport = "v2 WebSocket" | "v2 POST" | "v1 WebSocket" | "v1 POST";

/** Whether a transport is by WebSocket. */
export function isWebSocket(transport: Transport): boolean {
  return transport === "v1 WebSocket" || transport === "v2 WebSocket";
}

/** What the user wants of the link. */
export interface LinkSettings {
  /** Stay on the HTTP interface. */
  readonly noWebSocket: boolean;
  /** The newest version of the panel's protocol to use. */
  readonly version: 1 | 2;
  /** Commands and terminals are wanted: a panel without version 2 has them by WebSocket only. */
  readonly remoteControl: boolean;
  /** The longest wait between two tries in the first minute of trouble. */
  readonly reconnectMs: number;
}

/** Why a WebSocket did not come about, as far as it matters for what to try next. */
export type DialFailure =
  /** Something answered, or took the connection at least: POST may go through. */
  | "answered"
  /** The panel's machine refused the connection. */
  | "refused"
  /** Nothing was heard: no name, no transport, no answer. */
  | "no answer";

/** How a WebSocket that stood has ended. */
export type SocketEnd =
  /** The other side ended it, or the line did. */
  | "closed"
  /** It was given up because it had gone mute. */
  | "timed out"
  /** It was given up because what came was no message, or a far too long one. */
  | "protocol error";

/** What happened. */
export type LinkEvent =
  | { readonly kind: "start" }
  | { readonly kind: "opened" }
  | { readonly kind: "dial failed"; readonly why: DialFailure }
  /** A WebSocket that stood has ended. */
  | {
    readonly kind: "closed";
    readonly durationMs: number;
    readonly end: SocketEnd;
  }
  | { readonly kind: "accepted"; readonly transport: Transport }
  /** A report did not get through; "unsupported protocol" when the answer shows no sign of version 2. */
  | {
    readonly kind: "failed";
    readonly transport: Transport;
    readonly why: "unsupported protocol" | "rejected" | "lost";
  }
  /** The wait that was asked for is over. */
  | { readonly kind: "timer" };

/** What to do about it. */
export type LinkEffect =
  /** Dial a WebSocket; `opened` or `dial failed` follows, and `closed` after `opened`. */
  | { readonly kind: "dial"; readonly version: 1 | 2 }
  /** Send a report now; `accepted` or `failed` follows. */
  | { readonly kind: "report"; readonly transport: Transport }
  /** Say `due` after so long; a wait from before is forgotten. */
  | { readonly kind: "wait"; readonly ms: number }
  /** Say that another agent most likely uses the same token. */
  | { readonly kind: "warn of duplicate agent" };

/** All that is remembered. */
export interface LinkState {
  /** The transport that has proved to work; absent while none has. */
  readonly transport?: Transport;
  /** The transport by POST that is being tried. */
  readonly trying?: "v2 POST" | "v1 POST";
  readonly socket: "none" | "dialling" | "open";
  /** Which version the WebSocket speaks, or the last one spoke. */
  readonly version: 1 | 2;
  /** Whether a report over the present WebSocket was answered. */
  readonly proven: boolean;
  /** When the trouble began that still lasts. */
  readonly outageSinceMs?: number;
  /** Tries since the trouble is more than a minute old. */
  readonly backoffAttempts: number;
  /** WebSockets that did not come about or did not last while POST worked, in a row. */
  readonly blocked: number;
  /** WebSockets that ended soon after they stood, in a row. */
  readonly shortConnections: number;
}

/** The next state, and what to do to get there. */
export interface LinkStep {
  readonly state: LinkState;
  readonly effects: readonly LinkEffect[];
}

/** When it happened and with what luck; given, so that it can be tested. */
export interface LinkConditions {
  readonly nowMs: number;
  /** From 0 up to, but not including, 1. */
  readonly random: number;
}

/** Before anything has happened. */
export const INITIAL_LINK: LinkState = {
  socket: "none",
  version: 2,
  proven: false,
  backoffAttempts: 0,
  blocked: 0,
  shortConnections: 0,
};

const FAST_RETRY_MS = 60_000;
const LONGEST_BACKOFF_MS = 30_000;
/** Nobody is spared by waiting longer when nothing even arrives at the panel. */
const LONGEST_BACKOFF_NO_ANSWER_MS = 10_000;
const FIRST_SOCKET_RETRY_MS = 4_000;
/** A WebSocket that ends sooner has not lasted. */
export const SHORT_CONNECTION_MS = 15_000;
/** So many that have not lasted, one after another, are no chance any more. */
export const SHORT_CONNECTIONS_LIMIT = 3;
/** Many agents lose their connections in the same instant when a panel or a proxy restarts. */
const SPREAD_MS = 1_000;

/** What becomes of the state when something happens. */
export function stepLink(
  state: LinkState,
  event: LinkEvent,
  options: LinkConditions & { settings: LinkSettings },
): LinkStep {
  switch (event.kind) {
    case "start":
      return start(state, options.settings);
    case "timer":
      return due(state, options.settings);
    case "opened":
      return opened(state);
    case "dial failed":
      return dialFailed(state, event.why, options);
    case "closed":
      return closed(state, event, options);
    case "accepted":
      return accepted(state, event.transport, options);
    case "failed":
      return failed(state, event, options);
  }
}

type Options = LinkConditions & { readonly settings: LinkSettings };

/** Whether a WebSocket is never wanted. */
function usesOnlyHttp({ noWebSocket: httpOnly, version, remoteControl }: LinkSettings): boolean {
  return httpOnly || (version === 1 && !remoteControl);
}

function start(state: LinkState, settings: LinkSettings): LinkStep {
  return usesOnlyHttp(settings)
    ? {
      state: { ...state, transport: "v1 POST" },
      effects: [{ kind: "report", transport: "v1 POST" }],
    }
    : dial(state, settings.version);
}

function due(state: LinkState, settings: LinkSettings): LinkStep {
  if (state.socket !== "none") return { state, effects: [] };
  return dial(state, state.transport === "v1 POST" ? 1 : settings.version);
}

function dial(state: LinkState, version: 1 | 2): LinkStep {
  return { state: { ...state, socket: "dialling", version }, effects: [{ kind: "dial", version }] };
}

function opened(state: LinkState): LinkStep {
  const transport = state.version === 1 ? "v1 WebSocket" : "v2 WebSocket";
  const { trying: _, ...rest } = state;
  const open: LinkState = { ...rest, socket: "open", proven: false };
  // What works is not left for a connection that may turn out to be mute: one report tries it.
  return {
    state: state.transport === "v2 POST" ? open : { ...open, transport },
    effects: [{ kind: "report", transport }],
  };
}

function dialFailed(state: LinkState, why: DialFailure, options: Options): LinkStep {
  const without: LinkState = { ...state, socket: "none" };
  if (state.transport !== undefined || state.trying !== undefined) {
    return retrySocket(without, options);
  }
  return why === "answered" ? tryPost(without, options.settings) : retryAll(without, why, options);
}

function closed(
  state: LinkState,
  { durationMs: livedMs, end }: LinkEvent & { kind: "closed" },
  options: Options,
): LinkStep {
  const shortLives = livedMs < SHORT_CONNECTION_MS && end !== "timed out"
    ? state.shortConnections + 1
    : 0;
  const isDuplicate = shortLives === SHORT_CONNECTIONS_LIMIT && end === "closed";
  const warnings: LinkEffect[] = isDuplicate ? [{ kind: "warn of duplicate agent" }] : [];
  // What has gone mute would most likely be so again, and that takes long to be seen.
  const proven = state.proven && end !== "timed out";
  const without: LinkState = { ...state, socket: "none", proven, shortConnections: shortLives };
  const { state: next, effects } = afterSocketLost(without, options);
  return { state: next, effects: [...warnings, ...effects] };
}

function afterSocketLost(state: LinkState, options: Options): LinkStep {
  const { nowMs, random, settings } = options;
  if (state.transport === "v2 POST" || state.transport === "v1 POST") {
    return retrySocket(state, options);
  }
  const lost = withoutTransport(state);
  if (!state.proven || state.shortConnections >= SHORT_CONNECTIONS_LIMIT) {
    return tryPost(lost, settings);
  }
  return {
    state: { ...lost, outageSinceMs: nowMs, backoffAttempts: 0 },
    effects: [{ kind: "wait", ms: random * Math.min(SPREAD_MS, settings.reconnectMs) }],
  };
}

/** The WebSocket is barred or does not last; a report by POST shows whether that goes through. */
function tryPost(state: LinkState, settings: LinkSettings): LinkStep {
  const trying = settings.version === 2 ? "v2 POST" : "v1 POST";
  return { state: { ...state, trying }, effects: [{ kind: "report", transport: trying }] };
}

function accepted(state: LinkState, transport: Transport, options: Options): LinkStep {
  const { outageSinceMs: _, trying: __, ...rest } = state;
  if (isWebSocket(transport)) {
    return state.socket === "open"
      ? { state: { ...rest, transport, proven: true, blocked: 0, backoffAttempts: 0 }, effects: [] }
      : { state, effects: [] };
  }
  if (transport === state.transport) return { state: { ...rest, backoffAttempts: 0 }, effects: [] };
  if (transport !== state.trying) return { state, effects: [] };
  const working: LinkState = { ...rest, transport, backoffAttempts: 0 };
  if (transport === "v2 POST") return retrySocket(working, options);
  if (usesOnlyHttp({ ...options.settings, version: 1 })) return { state: working, effects: [] };
  return options.settings.version === 1 || rest.shortConnections >= SHORT_CONNECTIONS_LIMIT
    ? retrySocket(working, options)
    : dial(working, 1);
}

function failed(
  state: LinkState,
  { transport, why }: LinkEvent & { kind: "failed" },
  options: Options,
): LinkStep {
  if (transport === state.trying) {
    if (why === "unsupported protocol" && transport === "v2 POST") {
      return {
        state: { ...state, trying: "v1 POST" },
        effects: [{ kind: "report", transport: "v1 POST" }],
      };
    }
    const { trying: _, ...rest } = state;
    // A report that was refused for what it says has shown all the same who is there.
    if (why === "rejected" && transport === "v2 POST") {
      return retrySocket({ ...rest, transport }, options);
    }
    return retryAll(rest, "refused", options);
  }
  // A refusal is an answer.
  if (isWebSocket(transport) && why === "rejected") return accepted(state, transport, options);
  // A WebSocket that does not answer is closed, and that is an event of its own.
  if (transport !== state.transport || why === "rejected" || state.socket === "open") {
    return { state, effects: [] };
  }
  return usesOnlyHttp(options.settings)
    ? { state, effects: [] }
    : retryAll(withoutTransport(state), "refused", options);
}

/** Reports go by POST meanwhile: tries for a WebSocket that become rarer. */
function retrySocket(state: LinkState, { random }: Options): LinkStep {
  const tries = Math.max(state.blocked, state.shortConnections - SHORT_CONNECTIONS_LIMIT);
  const longestMs = Math.min(FIRST_SOCKET_RETRY_MS * 2 ** tries, LONGEST_BACKOFF_MS);
  return {
    state: { ...state, blocked: Math.min(state.blocked + 1, 10) },
    effects: [{ kind: "wait", ms: longestMs * (0.5 + random / 2) }],
  };
}

/** Nothing goes through: all is tried again, from the start. */
function retryAll(
  state: LinkState,
  why: Exclude<DialFailure, "answered">,
  options: Options,
): LinkStep {
  const { nowMs, random, settings } = options;
  const troubleSinceMs = state.outageSinceMs ?? nowMs;
  const isBackingOff = nowMs - troubleSinceMs >= FAST_RETRY_MS;
  const backoffAttempts = isBackingOff ? Math.min(state.backoffAttempts + 1, 10) : 0;
  const slowestMs = why === "no answer" ? LONGEST_BACKOFF_NO_ANSWER_MS : LONGEST_BACKOFF_MS;
  const longestMs = Math.max(
    settings.reconnectMs,
    Math.min(settings.reconnectMs * 2 ** backoffAttempts, slowestMs),
  );
  return {
    state: { ...state, outageSinceMs: troubleSinceMs, backoffAttempts: backoffAttempts },
    effects: [{ kind: "wait", ms: random * longestMs }],
  };
}

function withoutTransport(state: LinkState): LinkState {
  const { transport: _, ...rest } = state;
  return rest;
}
