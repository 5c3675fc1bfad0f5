/**
 * What is known of the link to the panel, what can happen to it, and what can be done about that.
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
