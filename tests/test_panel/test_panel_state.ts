import {
  type Counts,
  keepLast,
  PanelState,
  type ReceivedMessage,
} from "../../lib/demo/panel_state.ts";
import type { TaskResult } from "./contracts.ts";
import { patience } from "../patience.ts";

/** A violation of the contract. */
export interface Violation {
  readonly atMs: number;
  readonly text: string;
}

/** A call and its answer. */
export interface Call {
  readonly atMs: number;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** 101 when it became a WebSocket; absent when a fault suppressed the answer. */
  readonly status?: number | undefined;
}

/** Event counts since the start. */
export interface TestCounts extends Counts {
  readonly connections: number;
  readonly calls: number;
  readonly taskLists: number;
  readonly commandResults: number;
  readonly pulls: number;
  /** Messages over WebSockets, valid or not. */
  readonly socketMessages: number;
  readonly violations: number;
}

/** The node's WebSockets, without those of terminals. */
export interface Sockets {
  /** The version of the present one; absent when there is none. */
  readonly present?: "v1" | "v2" | undefined;
  /** Number of those opened since the start. */
  readonly opened: number;
  readonly closed: number;
}

type FurtherCount = Exclude<keyof TestCounts, keyof Counts>;

const MAX_KEPT = 720;

/** The state of the tests' panel: with all calls, and with what violates the contract. */
export class TestPanelState extends PanelState {
  readonly violations: Violation[] = [];
  readonly calls: Call[] = [];
  readonly commandResults: ReceivedMessage<TaskResult>[] = [];
  readonly #furtherCounts: Record<FurtherCount, number> = {
    connections: 0,
    calls: 0,
    taskLists: 0,
    commandResults: 0,
    pulls: 0,
    socketMessages: 0,
    violations: 0,
  };
  #sockets: Sockets = { opened: 0, closed: 0 };

  /** The node's WebSockets. */
  get sockets(): Sockets {
    return this.#sockets;
  }

  set sockets(sockets: Sockets) {
    this.#sockets = sockets;
    this.notify({ counts: this.counts });
  }

  override get counts(): TestCounts {
    return { ...super.counts, ...this.#furtherCounts };
  }

  /** Adds one to a count. */
  count(name: FurtherCount): void {
    this.#furtherCounts[name]++;
    this.notify({ counts: this.counts });
  }

  addViolation(violation: Violation): void {
    keepLast(this.violations, violation, MAX_KEPT);
    this.count("violations");
  }

  addCommandResult(commandResult: ReceivedMessage<TaskResult>): void {
    keepLast(this.commandResults, commandResult, MAX_KEPT);
    this.count("commandResults");
  }

  addCall(call: Call): void {
    keepLast(this.calls, call, MAX_KEPT);
    this.count("calls");
  }

  /**
   * Resolves as soon as `condition` holds; rejects with the signal's reason when it aborts before, by
   * default that of {@linkcode patience}.
   */
  until(condition: (state: this) => boolean, options?: { signal?: AbortSignal }): Promise<void> {
    const subscribe = (listener: () => void, signal: AbortSignal) =>
      this.subscribe(listener, { signal });
    return untilEvent(subscribe, () => condition(this), options);
  }
}

/**
 * Resolves as soon as a condition holds, which is checked at each event; rejects with the signal's
 * reason when it aborts before.
 */
export async function untilEvent(
  subscribe: (listener: () => void, signal: AbortSignal) => void,
  condition: () => boolean,
  options: { signal?: AbortSignal } = {},
): Promise<void> {
  const { signal = patience() } = options;
  signal.throwIfAborted();
  if (condition()) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const settled = new AbortController();
  subscribe(() => {
    try {
      if (condition()) resolve();
    } catch (error) {
      reject(error);
    }
  }, settled.signal);
  signal.addEventListener("abort", () => reject(signal.reason), {
    once: true,
    signal: settled.signal,
  });
  try {
    await promise;
  } catch (cause) {
    if (cause !== signal.reason || options.signal !== undefined) throw cause;
    // It says where, which the reason does not.
    throw new Error("Cannot wait any longer", { cause });
  } finally {
    settled.abort();
  }
}
