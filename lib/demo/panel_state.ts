/**
 * What the stand-in panel wants, and what has arrived at it.
 *
 * @module
 */

import type { WireBasicInfo } from "./basic_info_contract.ts";
import type { Fault } from "./fault.ts";
import type { WirePingResult } from "./ping_result_contract.ts";
import type { WireReport } from "./report_contract.ts";
import type { WireTask } from "./wire_task.ts";

/** A message that was taken. */
export interface Arrival<T> {
  /** When it came, in milliseconds since 1970. */
  readonly atMs: number;
  /** The message as it stood on the wire. */
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
  /** Absent when a fault kept the answer back. */
  readonly status?: number;
}

/** How often each thing happened, since the start. */
export interface Counts {
  readonly connections: number;
  readonly calls: number;
  readonly reports: number;
  readonly basicInfos: number;
  readonly pingResults: number;
  readonly taskLists: number;
  /** Messages that the contract refused. */
  readonly refused: number;
  readonly violations: number;
}

/** News that the state tells its listeners. */
export type News =
  | { readonly report: Arrival<WireReport> }
  | { readonly basicInfo: Arrival<WireBasicInfo> }
  | { readonly pingResult: Arrival<WirePingResult> }
  | { readonly violation: Violation }
  | { readonly call: Call }
  | { readonly connections: number }
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
  readonly #violations: Violation[] = [];
  readonly #calls: Call[] = [];
  readonly #listeners = new Set<(news: News) => void>();
  #tasks: readonly WireTask[] = [];
  #fault: Fault | undefined;
  #columns: WireBasicInfo = {};
  #counts: Counts = {
    connections: 0,
    calls: 0,
    reports: 0,
    basicInfos: 0,
    pingResults: 0,
    taskLists: 0,
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
    this.#tell({ tasks });
  }

  /** How the panel misbehaves at present. */
  get fault(): Fault | undefined {
    return this.#fault;
  }

  set fault(fault: Fault | undefined) {
    this.#fault = fault;
    this.#tell({ fault });
  }

  addReport(arrival: Arrival<WireReport>): void {
    keep(this.#reports, arrival, KEPT);
    this.count("reports");
    this.#tell({ report: arrival });
  }

  addBasicInfo(arrival: Arrival<WireBasicInfo>): void {
    keep(this.#basicInfos, arrival, KEPT);
    this.#columns = { ...this.#columns, ...arrival.value };
    this.count("basicInfos");
    this.#tell({ basicInfo: arrival });
  }

  addPingResult(arrival: Arrival<WirePingResult>): void {
    keep(this.#pingResults, arrival, KEPT_RESULTS);
    this.count("pingResults");
    this.#tell({ pingResult: arrival });
  }

  addViolation(violation: Violation): void {
    keep(this.#violations, violation, KEPT);
    this.count("violations");
    this.#tell({ violation });
  }

  addCall(call: Call): void {
    keep(this.#calls, call, KEPT);
    this.count("calls");
    this.#tell({ call });
  }

  addConnection(): void {
    this.count("connections");
    this.#tell({ connections: this.#counts.connections });
  }

  /** Adds one to a count. */
  count(name: keyof Counts): void {
    this.#counts = { ...this.#counts, [name]: this.#counts[name] + 1 };
  }

  /** Calls `listener` with all news until the signal aborts. */
  listen(listener: (news: News) => void, options: { signal: AbortSignal }): void {
    if (options.signal.aborted) return;
    this.#listeners.add(listener);
    options.signal.addEventListener("abort", () => this.#listeners.delete(listener), {
      once: true,
    });
  }

  /** Resolves as soon as `condition` holds; rejects with the signal's reason when it aborts before. */
  until(
    condition: (state: PanelState) => boolean,
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    options.signal?.throwIfAborted();
    if (condition(this)) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settled = new AbortController();
    this.listen(() => {
      try {
        if (condition(this)) resolve();
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

  #tell(news: News): void {
    for (const listener of [...this.#listeners]) listener(news);
  }
}

function keep<T>(list: T[], item: T, most: number): void {
  list.push(item);
  if (list.length > most) list.splice(0, list.length - most);
}
