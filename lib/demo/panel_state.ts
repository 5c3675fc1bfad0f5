/**
 * What can happen at the stand-in panel.
 *
 * What the stand-in panel wants, and what has arrived at it.
 *
 * @module
 */

import type { WireBasicInfo, WirePingResult, WireTask, WireTaskResult } from "./contracts.ts";
import type { Fault } from "./fault.ts";
import type { WireReport } from "./report_contract.ts";

/** Who wants to hear of something, and a way to wait until it has come to a certain point. */
export class Listeners<T> {
  readonly #all = new Set<(news: T) => void>();

  /** Calls `listener` with all news until the signal aborts. */
  add(listener: (news: T) => void, options: { signal: AbortSignal }): void {
    if (options.signal.aborted) return;
    this.#all.add(listener);
    options.signal.addEventListener("abort", () => this.#all.delete(listener), { once: true });
  }

  /** Tells all that listen. */
  tell(news: T): void {
    for (const listener of [...this.#all]) listener(news);
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

/** The way by which a message came: the version of the interface and what carried it. */
export type Transport = "v2 websocket" | "v2 post" | "v1 websocket" | "v1 post";

/** A message that was taken. */
export interface Arrival<T> {
  /** When it came, in milliseconds since 1970. */
  readonly atMs: number;
  readonly by: Transport;
  /** The message as it stood on the wire, without its envelope. */
  readonly body: string;
  readonly value: T;
}

/** Something that the contract forbids. */
export interface Violation {
  readonly atMs: number;
  readonly text: string;
}

/** A call, whatever became of it. */
export interface Call {
  readonly atMs: number;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** 101 when it became a WebSocket; absent when a fault kept the answer back. */
  readonly status?: number;
}

/** The node's WebSockets, without those of terminals. */
export interface Sockets {
  /** What the present one speaks; absent when there is none. */
  readonly present?: "v1" | "v2";
  /** How many were opened since the start. */
  readonly opened: number;
  readonly closed: number;
}

/** How often each thing happened, since the start. */
export interface Counts {
  readonly connections: number;
  readonly calls: number;
  readonly reports: number;
  readonly basicInfos: number;
  readonly pingResults: number;
  readonly taskLists: number;
  readonly pulls: number;
  readonly commandResults: number;
  /** Messages over WebSockets, readable or not. */
  readonly socketMessages: number;
  /** Messages that the contract refused. */
  readonly refused: number;
  readonly violations: number;
}

/** News that the state tells its listeners. */
export type News =
  | { readonly report: Arrival<WireReport> }
  | { readonly basicInfo: Arrival<WireBasicInfo> }
  | { readonly pingResult: Arrival<WirePingResult> }
  | { readonly commandResult: Arrival<WireTaskResult> }
  | { readonly violation: Violation }
  | { readonly call: Call }
  | { readonly count: keyof Counts }
  | { readonly sockets: Sockets }
  | { readonly tasks: readonly WireTask[] }
  | { readonly fault: Fault | undefined };

/** How many of each are kept. */
const KEPT = 720;
const KEPT_RESULTS = 2000;

/** A bounded memory of what arrived, oldest first, and a way to wait for more. */
export class PanelState {
  readonly #reports: Arrival<WireReport>[] = [];
  readonly #basicInfos: Arrival<WireBasicInfo>[] = [];
  readonly #pingResults: Arrival<WirePingResult>[] = [];
  readonly #commandResults: Arrival<WireTaskResult>[] = [];
  readonly #violations: Violation[] = [];
  readonly #calls: Call[] = [];
  readonly #listeners = new Listeners<News>();
  #tasks: readonly WireTask[] = [];
  #fault: Fault | undefined;
  #columns: WireBasicInfo = {};
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

  get reports(): readonly Arrival<WireReport>[] {
    return this.#reports;
  }

  get basicInfos(): readonly Arrival<WireBasicInfo>[] {
    return this.#basicInfos;
  }

  get pingResults(): readonly Arrival<WirePingResult>[] {
    return this.#pingResults;
  }

  get commandResults(): readonly Arrival<WireTaskResult>[] {
    return this.#commandResults;
  }

  get violations(): readonly Violation[] {
    return this.#violations;
  }

  get calls(): readonly Call[] {
    return this.#calls;
  }

  get counts(): Counts {
    return this.#counts;
  }

  /** The node's row: columns of every basic info so far, the newest value of each. */
  get columns(): WireBasicInfo {
    return this.#columns;
  }

  /** The probes that the next task list names. */
  get tasks(): readonly WireTask[] {
    return this.#tasks;
  }

  set tasks(tasks: readonly WireTask[]) {
    this.#tasks = tasks;
    this.#listeners.tell({ tasks });
  }

  /** How the panel misbehaves at present. */
  get fault(): Fault | undefined {
    return this.#fault;
  }

  set fault(fault: Fault | undefined) {
    this.#fault = fault;
    this.#listeners.tell({ fault });
  }

  /** The node's WebSockets. */
  get sockets(): Sockets {
    return this.#sockets;
  }

  set sockets(sockets: Sockets) {
    this.#sockets = sockets;
    this.#listeners.tell({ sockets });
  }

  addReport(arrival: Arrival<WireReport>): void {
    keep(this.#reports, arrival, KEPT);
    this.#add("reports");
    this.#listeners.tell({ report: arrival });
  }

  addBasicInfo(arrival: Arrival<WireBasicInfo>): void {
    keep(this.#basicInfos, arrival, KEPT);
    this.#columns = { ...this.#columns, ...arrival.value };
    this.#add("basicInfos");
    this.#listeners.tell({ basicInfo: arrival });
  }

  addPingResult(arrival: Arrival<WirePingResult>): void {
    keep(this.#pingResults, arrival, KEPT_RESULTS);
    this.#add("pingResults");
    this.#listeners.tell({ pingResult: arrival });
  }

  addCommandResult(arrival: Arrival<WireTaskResult>): void {
    keep(this.#commandResults, arrival, KEPT);
    this.#add("commandResults");
    this.#listeners.tell({ commandResult: arrival });
  }

  addViolation(violation: Violation): void {
    keep(this.#violations, violation, KEPT);
    this.#add("violations");
    this.#listeners.tell({ violation });
  }

  addCall(call: Call): void {
    keep(this.#calls, call, KEPT);
    this.#add("calls");
    this.#listeners.tell({ call });
  }

  /** Adds one to a count. */
  count(name: keyof Counts): void {
    this.#add(name);
    this.#listeners.tell({ count: name });
  }

  /** Calls `listener` with all news until the signal aborts. */
  listen(listener: (news: News) => void, options: { signal: AbortSignal }): void {
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

function keep<T>(list: T[], item: T, most: number): void {
  list.push(item);
  if (list.length > most) list.splice(0, list.length - most);
}
