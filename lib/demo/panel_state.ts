/**
 * The state of the stand-in panel: its tasks and fault, and everything that it has received.
 *
 * @module
 */

import type { StoredBasicInfo, StoredPingResult, StoredTaskResult, WireTask } from "./contracts.ts";
import type { Fault } from "./fault.ts";
import type { StoredReport } from "./report_contract.ts";

const { stripVTControlCharacters } = await import("node:util");

/** Subscribers to events, and a way to wait for a condition. */
export class Subscribers<T> {
  readonly #all = new Set<(event: T) => void>();

  /** Calls `listener` with every event until the signal aborts. */
  add(listener: (event: T) => void, options: { signal: AbortSignal }): void {
    if (options.signal.aborted) return;
    this.#all.add(listener);
    options.signal.addEventListener("abort", () => this.#all.delete(listener), { once: true });
  }

  /** Calls every listener. */
  notify(event: T): void {
    for (const listener of [...this.#all]) listener(event);
  }

  /** Resolves as soon as `condition` holds; rejects with the signal's reason when it aborts before. */
  until(condition: () => boolean, options: { signal?: AbortSignal } = {}): Promise<void> {
    options.signal?.throwIfAborted();
    if (condition()) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settled = new AbortController();
    this.add(() => {
      try {
        if (condition()) resolve();
      } catch (error) {
        reject(error);
      }
    }, { signal: settled.signal });
    options.signal?.addEventListener("abort", () => reject(options.signal?.reason), {
      once: true,
      signal: settled.signal,
    });
    return promise.finally(() => settled.abort());
  }
}

/** A transport: the version of the interface, and WebSocket or POST. */
export type ReceivedBy = "v2 websocket" | "v2 post" | "v1 websocket" | "v1 post";

/** A message that was accepted. */
export interface ReceivedMessage<T> {
  /** Time of arrival, in milliseconds since 1970. */
  readonly atMs: number;
  readonly by: ReceivedBy;
  /** The text of the message, without its envelope. */
  readonly body: string;
  readonly value: T;
}

/** A violation of the contract. */
export interface Violation {
  readonly atMs: number;
  readonly text: string;
}

/** A line of the agent's log. */
export interface LogLine {
  readonly atMs: number;
  readonly line: string;
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

/** The node's WebSockets, without those of terminals. */
export interface Sockets {
  /** The version of the present one; absent when there is none. */
  readonly present?: "v1" | "v2" | undefined;
  /** Number of those opened since the start. */
  readonly opened: number;
  readonly closed: number;
}

/** Event counts since the start. */
export interface Counts {
  readonly connections: number;
  readonly calls: number;
  readonly reports: number;
  readonly basicInfos: number;
  readonly pingResults: number;
  readonly taskLists: number;
  readonly pulls: number;
  readonly commandResults: number;
  /** Messages over WebSockets, valid or not. */
  readonly socketMessages: number;
  /** Messages that were refused. */
  readonly refused: number;
  readonly violations: number;
}

/** A change of the state. */
export type StateChange =
  | { readonly report: ReceivedMessage<StoredReport> }
  | { readonly basicInfo: ReceivedMessage<StoredBasicInfo> }
  | { readonly pingResult: ReceivedMessage<StoredPingResult> }
  | { readonly commandResult: ReceivedMessage<StoredTaskResult> }
  | { readonly violation: Violation }
  | { readonly logLine: LogLine }
  | { readonly call: Call }
  | { readonly count: keyof Counts }
  | { readonly sockets: Sockets }
  | { readonly tasks: readonly WireTask[] }
  | { readonly fault: Fault | undefined };

/** Maximum number of messages of each kind that are kept. */
const MAX_KEPT = 720;
const MAX_KEPT_RESULTS = 2000;
const MAX_LOG_LINES = 200;

/** Keeps a bounded number of received messages, oldest first, and tells subscribers of changes. */
export class PanelState {
  readonly #reports: ReceivedMessage<StoredReport>[] = [];
  readonly #basicInfos: ReceivedMessage<StoredBasicInfo>[] = [];
  readonly #pingResults: ReceivedMessage<StoredPingResult>[] = [];
  readonly #commandResults: ReceivedMessage<StoredTaskResult>[] = [];
  readonly #violations: Violation[] = [];
  readonly #calls: Call[] = [];
  readonly #logLines: LogLine[] = [];
  /** Time that a report keeps the node online, in milliseconds. */
  readonly presenceMs: number;
  readonly #listeners = new Subscribers<StateChange>();
  #tasks: readonly WireTask[] = [];
  #fault: Fault | undefined;
  #columns: StoredBasicInfo = {};
  #sockets: Sockets = { opened: 0, closed: 0 };
  #counts: Counts = {
    connections: 0,
    calls: 0,
    reports: 0,
    basicInfos: 0,
    pingResults: 0,
    taskLists: 0,
    pulls: 0,
    commandResults: 0,
    socketMessages: 0,
    refused: 0,
    violations: 0,
  };

  constructor(options: { presenceMs: number } = { presenceMs: 35_000 }) {
    this.presenceMs = options.presenceMs;
  }

  get reports(): readonly ReceivedMessage<StoredReport>[] {
    return this.#reports;
  }

  get basicInfos(): readonly ReceivedMessage<StoredBasicInfo>[] {
    return this.#basicInfos;
  }

  get pingResults(): readonly ReceivedMessage<StoredPingResult>[] {
    return this.#pingResults;
  }

  get commandResults(): readonly ReceivedMessage<StoredTaskResult>[] {
    return this.#commandResults;
  }

  get violations(): readonly Violation[] {
    return this.#violations;
  }

  get calls(): readonly Call[] {
    return this.#calls;
  }

  /** The last lines of the agent's log, if it runs in this process. */
  get logLines(): readonly LogLine[] {
    return this.#logLines;
  }

  get counts(): Counts {
    return this.#counts;
  }

  /** The newest value of each column of basic info. */
  get columns(): StoredBasicInfo {
    return this.#columns;
  }

  /** The probes in the next task list. */
  get tasks(): readonly WireTask[] {
    return this.#tasks;
  }

  set tasks(tasks: readonly WireTask[]) {
    this.#tasks = tasks;
    this.#listeners.notify({ tasks });
  }

  /** The present fault. */
  get fault(): Fault | undefined {
    return this.#fault;
  }

  set fault(fault: Fault | undefined) {
    this.#fault = fault;
    this.#listeners.notify({ fault });
  }

  /** The node's WebSockets. */
  get sockets(): Sockets {
    return this.#sockets;
  }

  set sockets(sockets: Sockets) {
    this.#sockets = sockets;
    this.#listeners.notify({ sockets });
  }

  addReport(arrival: ReceivedMessage<StoredReport>): void {
    keep(this.#reports, arrival, MAX_KEPT);
    this.#add("reports");
    this.#listeners.notify({ report: arrival });
  }

  addBasicInfo(arrival: ReceivedMessage<StoredBasicInfo>): void {
    keep(this.#basicInfos, arrival, MAX_KEPT);
    this.#columns = { ...this.#columns, ...arrival.value };
    this.#add("basicInfos");
    this.#listeners.notify({ basicInfo: arrival });
  }

  addPingResult(arrival: ReceivedMessage<StoredPingResult>): void {
    keep(this.#pingResults, arrival, MAX_KEPT_RESULTS);
    this.#add("pingResults");
    this.#listeners.notify({ pingResult: arrival });
  }

  addCommandResult(arrival: ReceivedMessage<StoredTaskResult>): void {
    keep(this.#commandResults, arrival, MAX_KEPT);
    this.#add("commandResults");
    this.#listeners.notify({ commandResult: arrival });
  }

  addViolation(violation: Violation): void {
    keep(this.#violations, violation, MAX_KEPT);
    this.#add("violations");
    this.#listeners.notify({ violation });
  }

  addCall(call: Call): void {
    keep(this.#calls, call, MAX_KEPT);
    this.#add("calls");
    this.#listeners.notify({ call });
  }

  /** Adds a line of the agent's log, without the colors of a terminal. */
  addLogLine(line: string): void {
    const logLine = { atMs: Date.now(), line: stripVTControlCharacters(line) };
    keep(this.#logLines, logLine, MAX_LOG_LINES);
    this.#listeners.notify({ logLine });
  }

  /** Adds one to a count. */
  count(name: keyof Counts): void {
    this.#add(name);
    this.#listeners.notify({ count: name });
  }

  /** Calls `listener` with every change until the signal aborts. */
  subscribe(listener: (change: StateChange) => void, options: { signal: AbortSignal }): void {
    this.#listeners.add(listener, options);
  }

  /** Resolves as soon as `condition` holds; rejects with the signal's reason when it aborts before. */
  until(
    condition: (state: PanelState) => boolean,
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    return this.#listeners.until(() => condition(this), options);
  }

  #add(name: keyof Counts): void {
    this.#counts = { ...this.#counts, [name]: this.#counts[name] + 1 };
  }
}

function keep<T>(list: T[], item: T, limit: number): void {
  list.push(item);
  if (list.length > limit) list.splice(0, list.length - limit);
}
