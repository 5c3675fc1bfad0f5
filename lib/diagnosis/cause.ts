/**
 * What a failure to reach a panel was observed to be, and what its cause is in words: the types.
 *
 * @module
 */

import type { Proxy } from "../parse/proxy.ts";

/** How far a call came: `closed` and `silent` are those of a server that was reached. */
export type Stage =
  | "lookup"
  | "connect"
  | "proxy"
  | "tls"
  | "silent"
  | "closed"
  | "answer"
  /** A panel's own answer that it does not know the token. */
  | "token"
  /** A WebSocket that was open is closed. */
  | "disconnected"
  /** WebSockets are refused, while POST works. */
  | "websocket";

/** An HTTP answer that is no panel's, as far as causes are told by it. */
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
}

/** What a token looks like, without the token. */
export interface TokenShape {
  readonly length: number;
  /** Whether it is the name of a variable, in whose place nothing has put a token. */
  readonly isVariable: boolean;
  /** A character that no token has, as `U+FF1A`. */
  readonly odd?: string | undefined;
}

/** Where what has to be corrected is written, in the words of who asks. */
export interface Places {
  readonly endpoint: string;
  readonly token: string;
  readonly proxy: string;
  /** How an option, or a variable, is given. */
  given(option: string): string;
  /** How another address of the panel is configured. */
  write(address: string): string;
  /** How connections leave the proxy out. */
  readonly withoutProxy: string;
}

/** By which way the failure was observed. */
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
  /** Names the row of the table: two failures by one cause have the same. */
  readonly cause: string;
  readonly reason: string;
  /** What to do first. */
  readonly action: string;
  /** What to do if that does not help. */
  readonly more: readonly string[];
}

/** Advice; one that does not fit the case is no text. */
export type Advice = string | false | undefined;

/** A row of the table of causes. */
export interface Cause {
  readonly id: string;
  readonly stages: readonly Stage[];
  /** Whether it fits; a row without fits all failures of its stages. */
  is?(seen: Seen, way: SeenWay): boolean;
  /** What it is, where the error does not say it. */
  reason?(seen: Seen, way: SeenWay): string;
  /** What to do, the likeliest first. */
  actions(seen: Seen, way: SeenWay): readonly Advice[];
}
