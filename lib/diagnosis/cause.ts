/**
 * What was observed of a failure, and its cause in words: the types.
 *
 * @module
 */

import type { Proxy } from "../parse/proxy.ts";

/** How far a call came, or what else has failed. */
export type Stage =
  | "lookup"
  | "connect"
  | "proxy"
  | "tls"
  /** A server was reached, and did not answer in time. */
  | "silent"
  /** A server was reached, and closed the connection before it answered. */
  | "closed"
  /** Something else than a panel answered. */
  | "answer"
  /** A panel answered that it does not know the token. */
  | "token"
  /** A panel refused the key of auto-discovery. */
  | "key"
  /** A panel answered with an error of its own. */
  | "panel"
  /** A WebSocket that was open was closed. */
  | "disconnected"
  /** Several WebSockets in a row were closed soon after they were opened. */
  | "short-lived"
  /** WebSockets are refused, while POST works. */
  | "websocket";

/** What does not work on this machine, whatever the panel does. */
export type OwnStage = "ping" | "terminal" | "state";

/** An HTTP answer that is no panel's. */
export interface SeenAnswer {
  readonly status: number;
  readonly text: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
}

/** A failure as it was observed. */
export interface Seen {
  readonly stage: Stage;
  /** In the words of `net/`: `Cannot connect to …: connection refused`. */
  readonly error: string;
  readonly answer?: SeenAnswer | undefined;
  /** Whether the panel has accepted this token before. */
  readonly wasAccepted?: boolean | undefined;
  /** Whether the call waits at the panel for orders, while reports are sent by others. */
  readonly isPull?: boolean | undefined;
  /** The WebSockets in a row that did not last, and for how long the last of them were open. */
  readonly shortLived?: {
    readonly count: number;
    readonly shortestMs: number;
    readonly longestMs: number;
  } | undefined;
}

/** What a token looks like, without the token. */
export interface TokenShape {
  readonly length: number;
  readonly isUuid: boolean;
  /** Whether it is the name of a variable that nothing has filled in. */
  readonly isVariable: boolean;
  /** A character that no token has, as `U+FF1A`. */
  readonly odd?: string | undefined;
}

/** Where settings are written, in the words of who asks. */
export interface Places {
  readonly endpoint: string;
  readonly token: string;
  readonly proxy: string;
  /** Empty where no file of authorities is given. */
  readonly caCert: string;
  /** How an option, or a variable, is given. */
  given(option: string): string;
  /** How connections leave the proxy out. */
  readonly withoutProxy: string;
}

/** The way on which the failure was observed. */
export interface SeenWay {
  readonly url: URL;
  readonly proxy: Proxy | undefined;
  readonly token: TokenShape;
  /** Names of the headers that are sent, in small letters. */
  readonly sends: readonly string[];
  readonly places: Places;
}

/** A cause. */
export interface Diagnosis {
  /** The name of the row of the table: two failures by one cause have the same. */
  readonly cause: string;
  readonly reason: string;
  /** What to do first. */
  readonly action: string;
  /** What to do if that does not help. */
  readonly more: readonly string[];
}

/** A row of the table. */
export interface Row {
  /** Its name. */
  readonly id: string;
  /** All of them have to fit. */
  readonly conditions: readonly string[];
  readonly reason: string;
  /** The likeliest first. */
  readonly actions: readonly string[];
}
