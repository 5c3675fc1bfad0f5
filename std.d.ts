// `deno-std` on npm ships no types: these are the functions in use, as the standard library declares them.

declare module "@std/assert" {
  export class AssertionError extends Error {}
  export function assert(condition: unknown, message?: string): asserts condition;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertStrictEquals<T>(
    actual: unknown,
    expected: T,
    message?: string,
  ): asserts actual is T;
  export function assertAlmostEquals(
    actual: number,
    expected: number,
    tolerance?: number,
    message?: string,
  ): void;
  export function assertGreater<T>(actual: T, expected: T, message?: string): void;
  export function assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void;
  export function assertLess<T>(actual: T, expected: T, message?: string): void;
  export function assertLessOrEqual<T>(actual: T, expected: T, message?: string): void;
  export function assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T>;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertNotMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertArrayIncludes<T>(
    actual: ArrayLike<T>,
    expected: ArrayLike<T>,
    message?: string,
  ): void;
  export function assertObjectMatch(
    actual: Record<PropertyKey, unknown>,
    expected: Record<PropertyKey, unknown>,
    message?: string,
  ): void;
  export function assertInstanceOf<T>(
    actual: unknown,
    expected: abstract new (...args: never[]) => T,
    message?: string,
  ): asserts actual is T;
  export function assertThrows<E extends Error = Error>(
    fn: () => unknown,
    errorClass: abstract new (...args: never[]) => E,
    messageIncludes?: string,
    message?: string,
  ): E;
  export function assertRejects<E extends Error = Error>(
    fn: () => PromiseLike<unknown>,
    errorClass: abstract new (...args: never[]) => E,
    messageIncludes?: string,
    message?: string,
  ): Promise<E>;
  export function fail(message?: string): never;
}

declare module "@std/async/abortable" {
  /** Rejects with the signal's reason when it aborts before `promise` is settled. */
  export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T>;
}

declare module "@std/async/deadline" {
  /** Rejects with a `TimeoutError` when `promise` takes longer than `ms`, or with the signal's reason. */
  export function deadline<T>(
    promise: Promise<T>,
    ms: number,
    options?: { signal?: AbortSignal },
  ): Promise<T>;
}

declare module "@std/async/delay" {
  /** Resolves after `ms`; rejects with the signal's reason when it aborts before. */
  export function delay(
    ms: number,
    options?: { signal?: AbortSignal; persistent?: boolean },
  ): Promise<void>;
}

declare module "@std/data-structures/binary-heap" {
  /** A queue that gives the first value in the order of `compare`. */
  export class BinaryHeap<T> {
    constructor(compare?: (a: T, b: T) => number);
    readonly length: number;
    peek(): T | undefined;
    pop(): T | undefined;
    push(...values: T[]): number;
    clear(): void;
  }
}

declare module "@sinonjs/fake-timers" {
  export interface Clock {
    now: number;
    tick(ms: number): number;
    tickAsync(ms: number): Promise<number>;
    jump(ms: number): number;
    setSystemTime(now?: number | Date): void;
    countTimers(): number;
    uninstall(): void;
  }
  export function install(options?: {
    now?: number | Date;
    toFake?: string[];
  }): Clock;
}

declare module "ws" {
  import type { IncomingMessage } from "node:http";
  import type { Duplex } from "node:stream";

  export interface ClientOptions {
    headers?: Record<string, string>;
    perMessageDeflate?: boolean | Record<string, unknown>;
    autoPong?: boolean;
    maxPayload?: number;
  }
  export interface ServerOptions {
    noServer?: boolean;
    host?: string;
    port?: number;
    autoPong?: boolean;
    maxPayload?: number;
    perMessageDeflate?: boolean | Record<string, unknown>;
  }
  type Data = string | Uint8Array;
  type Sent = (error?: Error) => void;

  /** Text arrives as bytes too; `isBinary` tells them apart. */
  export class WebSocket {
    constructor(url: string, options?: ClientOptions);
    readonly readyState: number;
    on(event: "open", listener: () => void): this;
    on(event: "message", listener: (data: Uint8Array, isBinary: boolean) => void): this;
    on(event: "ping" | "pong", listener: (data: Uint8Array) => void): this;
    on(event: "close", listener: (code: number, reason: Uint8Array) => void): this;
    on(event: "error", listener: (error: Error) => void): this;
    on(
      event: "unexpected-response",
      listener: (request: unknown, response: IncomingMessage) => void,
    ): this;
    on(event: "upgrade", listener: (response: IncomingMessage) => void): this;
    send(data: Data, sent?: Sent): void;
    send(
      data: Data,
      options: { binary?: boolean; compress?: boolean; fin?: boolean },
      sent?: Sent,
    ): void;
    ping(data?: Data, mask?: boolean, sent?: Sent): void;
    pong(data?: Data, mask?: boolean, sent?: Sent): void;
    close(code?: number, reason?: Data): void;
    terminate(): void;
    pause(): void;
    resume(): void;
  }

  export class WebSocketServer {
    constructor(options: ServerOptions, listening?: () => void);
    on(event: "connection", listener: (socket: WebSocket, request: IncomingMessage) => void): this;
    on(event: "listening", listener: () => void): this;
    address(): { port: number };
    handleUpgrade(
      request: IncomingMessage,
      socket: Duplex,
      head: Uint8Array,
      done: (socket: WebSocket, request: IncomingMessage) => void,
    ): void;
    close(closed?: (error?: Error) => void): void;
  }
}

declare module "@std/yaml" {
  export function parse(text: string): unknown;
}

declare module "@std/jsonc" {
  /**
   * Reads JSON with comments and trailing commas. Throws a `SyntaxError` whose message ends with
   * `at position N`, or with `unexpected end of JSONC input`.
   */
  export function parse(text: string): unknown;
}
