/**
 * What is known of the link to the panel, what can happen to it, and what can be done about that.
 *
 * Decides by which way reports go: a pure function of what has happened.
 *
 * @module
 */

/** A way to the panel. */
export type Way = "v2 WebSocket" | "v2 POST" | "v1 WebSocket" | "v1 POST";

/** Whether a way is by WebSocket. */
export function isSocket(way: Way): boolean {
  return way === "v1 WebSocket" || way === "v2 WebSocket";
}

/** What the user wants of the link. */
export interface LinkSettings {
  /** Stay on the HTTP interface. */
  readonly httpOnly: boolean;
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
  /** Nothing was heard: no name, no way, no answer. */
  | "silent";

/** How a WebSocket that stood has ended. */
export type SocketEnd =
  /** The other side ended it, or the line did. */
  | "gone"
  /** It was given up because it had gone mute. */
  | "mute"
  /** It was given up because what came was no message, or a far too long one. */
  | "senseless";

/** What happened. */
export type LinkEvent =
  | { readonly kind: "start" }
  | { readonly kind: "opened" }
  | { readonly kind: "dial failed"; readonly why: DialFailure }
  /** A WebSocket that stood has ended. */
  | {
    readonly kind: "closed";
    readonly livedMs: number;
    readonly end: SocketEnd;
  }
  | { readonly kind: "accepted"; readonly way: Way }
  /** A report did not get through; "unspoken" when the answer shows no sign of version 2. */
  | {
    readonly kind: "failed";
    readonly way: Way;
    readonly why: "unspoken" | "rejected" | "lost";
  }
  /** The wait that was asked for is over. */
  | { readonly kind: "due" };

/** What to do about it. */
export type LinkEffect =
  /** Dial a WebSocket; `opened` or `dial failed` follows, and `closed` after `opened`. */
  | { readonly kind: "dial"; readonly version: 1 | 2 }
  /** Send a report now; `accepted` or `failed` follows. */
  | { readonly kind: "report"; readonly way: Way }
  /** Say `due` after so long; a wait from before is forgotten. */
  | { readonly kind: "wait"; readonly ms: number }
  /** Say that another agent most likely uses the same token. */
  | { readonly kind: "tell of a rival" };

/** All that is remembered. */
export interface LinkState {
  /** The way that has proved to work; absent while none has. */
  readonly way?: Way;
  /** The way by POST that is being tried. */
  readonly trying?: "v2 POST" | "v1 POST";
  readonly socket: "none" | "dialling" | "open";
  /** Which version the WebSocket speaks, or the last one spoke. */
  readonly version: 1 | 2;
  /** Whether a report over the present WebSocket was answered. */
  readonly proven: boolean;
  /** When the trouble began that still lasts. */
  readonly troubleSinceMs?: number;
  /** Tries since the trouble is more than a minute old. */
  readonly lateTries: number;
  /** WebSockets that did not come about or did not last while POST worked, in a row. */
  readonly blocked: number;
  /** WebSockets that ended soon after they stood, in a row. */
  readonly shortLives: number;
}

/** The next state, and what to do to get there. */
export interface LinkStep {
  readonly state: LinkState;
  readonly effects: readonly LinkEffect[];
}

/** When it happened and with what luck; given, so that it can be tested. */
export interface LinkChance {
  readonly nowMs: number;
  /** From 0 up to, but not including, 1. */
  readonly random: number;
}

/** Before anything has happened. */
export const INITIAL_LINK: LinkState = {
  socket: "none",
  version: 2,
  proven: false,
  lateTries: 0,
  blocked: 0,
  shortLives: 0,
};

const EAGER_MS = 60_000;
const SLOWEST_MS = 30_000;
/** Nobody is spared by waiting longer when nothing even arrives at the panel. */
const SLOWEST_IN_SILENCE_MS = 10_000;
const FIRST_SOCKET_RETRY_MS = 4_000;
/** A WebSocket that ends sooner has not lasted. */
export const SHORT_LIFE_MS = 15_000;
/** So many that have not lasted, one after another, are no chance any more. */
export const RIVAL_AT = 3;
/** Many agents lose their connections in the same instant when a panel or a proxy restarts. */
const SPREAD_MS = 1_000;

/** What becomes of the state when something happens. */
export function stepLink(
  state: LinkState,
  event: LinkEvent,
  options: LinkChance & { settings: LinkSettings },
): LinkStep {
  switch (event.kind) {
    case "start":
      return start(state, options.settings);
    case "due":
      return due(state, options.settings);
    case "opened":
      return opened(state);
    case "dial failed":
      return dialFailed(state, event.why, options);
    case "closed":
      return closed(state, event, options);
    case "accepted":
      return accepted(state, event.way, options);
    case "failed":
      return failed(state, event, options);
  }
}

type Options = LinkChance & { readonly settings: LinkSettings };

/** Whether a WebSocket is never wanted. */
function isPlain({ httpOnly, version, remoteControl }: LinkSettings): boolean {
  return httpOnly || (version === 1 && !remoteControl);
}

function start(state: LinkState, settings: LinkSettings): LinkStep {
  return isPlain(settings)
    ? { state: { ...state, way: "v1 POST" }, effects: [{ kind: "report", way: "v1 POST" }] }
    : dial(state, settings.version);
}

function due(state: LinkState, settings: LinkSettings): LinkStep {
  if (state.socket !== "none") return { state, effects: [] };
  return dial(state, state.way === "v1 POST" ? 1 : settings.version);
}

function dial(state: LinkState, version: 1 | 2): LinkStep {
  return { state: { ...state, socket: "dialling", version }, effects: [{ kind: "dial", version }] };
}

function opened(state: LinkState): LinkStep {
  const way = state.version === 1 ? "v1 WebSocket" : "v2 WebSocket";
  const { trying: _, ...rest } = state;
  const open: LinkState = { ...rest, socket: "open", proven: false };
  // What works is not left for a connection that may turn out to be mute: one report tries it.
  return {
    state: state.way === "v2 POST" ? open : { ...open, way },
    effects: [{ kind: "report", way }],
  };
}

function dialFailed(state: LinkState, why: DialFailure, options: Options): LinkStep {
  const without: LinkState = { ...state, socket: "none" };
  if (state.way !== undefined || state.trying !== undefined) return retrySocket(without, options);
  return why === "answered" ? tryPost(without, options.settings) : retryAll(without, why, options);
}

function closed(
  state: LinkState,
  { livedMs, end }: LinkEvent & { kind: "closed" },
  options: Options,
): LinkStep {
  const shortLives = livedMs < SHORT_LIFE_MS && end !== "mute" ? state.shortLives + 1 : 0;
  const isRivals = shortLives === RIVAL_AT && end === "gone";
  const tale: LinkEffect[] = isRivals ? [{ kind: "tell of a rival" }] : [];
  // What has gone mute would most likely be so again, and that takes long to be seen.
  const proven = state.proven && end !== "mute";
  const without: LinkState = { ...state, socket: "none", proven, shortLives };
  const { state: next, effects } = goOnWithout(without, options);
  return { state: next, effects: [...tale, ...effects] };
}

function goOnWithout(state: LinkState, options: Options): LinkStep {
  const { nowMs, random, settings } = options;
  if (state.way === "v2 POST" || state.way === "v1 POST") return retrySocket(state, options);
  const lost = withoutWay(state);
  if (!state.proven || state.shortLives >= RIVAL_AT) return tryPost(lost, settings);
  return {
    state: { ...lost, troubleSinceMs: nowMs, lateTries: 0 },
    effects: [{ kind: "wait", ms: random * Math.min(SPREAD_MS, settings.reconnectMs) }],
  };
}

/** The WebSocket is barred or does not last; a report by POST shows whether that goes through. */
function tryPost(state: LinkState, settings: LinkSettings): LinkStep {
  const trying = settings.version === 2 ? "v2 POST" : "v1 POST";
  return { state: { ...state, trying }, effects: [{ kind: "report", way: trying }] };
}

function accepted(state: LinkState, way: Way, options: Options): LinkStep {
  const { troubleSinceMs: _, trying: __, ...rest } = state;
  if (isSocket(way)) {
    return state.socket === "open"
      ? { state: { ...rest, way, proven: true, blocked: 0, lateTries: 0 }, effects: [] }
      : { state, effects: [] };
  }
  if (way === state.way) return { state: { ...rest, lateTries: 0 }, effects: [] };
  if (way !== state.trying) return { state, effects: [] };
  const working: LinkState = { ...rest, way, lateTries: 0 };
  if (way === "v2 POST") return retrySocket(working, options);
  if (isPlain({ ...options.settings, version: 1 })) return { state: working, effects: [] };
  return options.settings.version === 1 || rest.shortLives >= RIVAL_AT
    ? retrySocket(working, options)
    : dial(working, 1);
}

function failed(
  state: LinkState,
  { way, why }: LinkEvent & { kind: "failed" },
  options: Options,
): LinkStep {
  if (way === state.trying) {
    if (why === "unspoken" && way === "v2 POST") {
      return {
        state: { ...state, trying: "v1 POST" },
        effects: [{ kind: "report", way: "v1 POST" }],
      };
    }
    const { trying: _, ...rest } = state;
    // A report that was refused for what it says has shown all the same who is there.
    if (why === "rejected" && way === "v2 POST") return retrySocket({ ...rest, way }, options);
    return retryAll(rest, "refused", options);
  }
  // A refusal is an answer.
  if (isSocket(way) && why === "rejected") return accepted(state, way, options);
  // A WebSocket that does not answer is closed, and that is an event of its own.
  if (way !== state.way || why === "rejected" || state.socket === "open") {
    return { state, effects: [] };
  }
  return isPlain(options.settings)
    ? { state, effects: [] }
    : retryAll(withoutWay(state), "refused", options);
}

/** Reports go by POST meanwhile: tries for a WebSocket that become rarer. */
function retrySocket(state: LinkState, { random }: Options): LinkStep {
  const tries = Math.max(state.blocked, state.shortLives - RIVAL_AT);
  const longestMs = Math.min(FIRST_SOCKET_RETRY_MS * 2 ** tries, SLOWEST_MS);
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
  const troubleSinceMs = state.troubleSinceMs ?? nowMs;
  const isLate = nowMs - troubleSinceMs >= EAGER_MS;
  const lateTries = isLate ? Math.min(state.lateTries + 1, 10) : 0;
  const slowestMs = why === "silent" ? SLOWEST_IN_SILENCE_MS : SLOWEST_MS;
  const longestMs = Math.max(
    settings.reconnectMs,
    Math.min(settings.reconnectMs * 2 ** lateTries, slowestMs),
  );
  return {
    state: { ...state, troubleSinceMs, lateTries },
    effects: [{ kind: "wait", ms: random * longestMs }],
  };
}

function withoutWay(state: LinkState): LinkState {
  const { way: _, ...rest } = state;
  return rest;
}
