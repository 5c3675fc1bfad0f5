/**
 * The state of the stand-in panel: its tasks and fault, and everything that it has received.
 *
 * @module
 */

import type { Fault } from "./fault.ts";
import type { StoredBasicInfo, StoredPingResult, StoredReport } from "./messages.ts";

const { stripVTControlCharacters } = await import("node:util");

/** Subscribers to events. */
export class Subscribers<T> {
  readonly #all = new Set<(event: T) => void>();

  /** Calls `listener` with every event until the signal aborts. */
  subscribe(listener: (event: T) => void, options: { signal: AbortSignal }): void {
    if (options.signal.aborted) return;
    this.#all.add(listener);
    options.signal.addEventListener("abort", () => this.#all.delete(listener), { once: true });
  }

  /** Calls every listener. */
  notify(event: T): void {
    for (const listener of [...this.#all]) listener(event);
  }
}

/** The version of the protocol and the carrier that a message came by. */
export type ReceivedBy = `${"v1" | "v2"} ${"websocket" | "post"}`;

/** A message that was accepted. */
export interface ReceivedMessage<T> {
  /** Time of arrival, in milliseconds since 1970. */
  readonly atMs: number;
  readonly by: ReceivedBy;
  readonly value: T;
}

/** A probe task; an administrator can save any type, target and interval. */
export interface WireTask {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly target: string;
  /** A second target, of panels that grew from Komari. */
  readonly reference?: string;
  /** Seconds. */
  readonly interval: number;
}

/** A line of the agent's log. */
export interface LogLine {
  readonly atMs: number;
  readonly line: string;
}

/** Event counts since the start. */
export interface Counts {
  readonly reports: number;
  readonly basicInfos: number;
  readonly pingResults: number;
  /** Messages that were refused. */
  readonly refused: number;
}

/** A change of the state. */
export type StateChange =
  | { readonly report: ReceivedMessage<StoredReport> }
  | { readonly basicInfo: ReceivedMessage<StoredBasicInfo> }
  | { readonly pingResult: ReceivedMessage<StoredPingResult> }
  | { readonly logLine: LogLine }
  | { readonly counts: Counts }
  | { readonly tasks: readonly WireTask[] }
  | { readonly fault: Fault | undefined };

/** Maximum number of messages of each kind that are kept. */
const MAX_KEPT = 720;
const MAX_KEPT_RESULTS = 2000;
const MAX_LOG_LINES = 200;

/** Keeps a bounded number of received messages, oldest first, and tells subscribers of changes. */
export class PanelState extends Subscribers<StateChange> {
  readonly reports: ReceivedMessage<StoredReport>[] = [];
  readonly basicInfos: ReceivedMessage<StoredBasicInfo>[] = [];
  readonly pingResults: ReceivedMessage<StoredPingResult>[] = [];
  /** The last lines of the agent's log, if it runs in this process. */
  readonly logLines: LogLine[] = [];
  #tasks: readonly WireTask[] = [];
  #fault: Fault | undefined;
  /** The newest value of each column of basic info. */
  columns: StoredBasicInfo = {};
  #counts: Counts = { reports: 0, basicInfos: 0, pingResults: 0, refused: 0 };

  get counts(): Counts {
    return this.#counts;
  }

  /** The probes that the node is asked for. */
  get tasks(): readonly WireTask[] {
    return this.#tasks;
  }

  set tasks(tasks: readonly WireTask[]) {
    this.#tasks = tasks;
    this.notify({ tasks });
  }

  /** The present fault. */
  get fault(): Fault | undefined {
    return this.#fault;
  }

  set fault(fault: Fault | undefined) {
    this.#fault = fault;
    this.notify({ fault });
  }

  addReport(report: ReceivedMessage<StoredReport>): void {
    this.#keep("reports", report, { report });
  }

  addBasicInfo(basicInfo: ReceivedMessage<StoredBasicInfo>): void {
    this.columns = { ...this.columns, ...basicInfo.value };
    this.#keep("basicInfos", basicInfo, { basicInfo });
  }

  addPingResult(pingResult: ReceivedMessage<StoredPingResult>): void {
    this.#keep("pingResults", pingResult, { pingResult });
  }

  /** Adds a line of the agent's log, without the colors of a terminal. */
  addLogLine(line: string): void {
    const logLine = { atMs: Date.now(), line: stripVTControlCharacters(line) };
    keepLast(this.logLines, logLine, MAX_LOG_LINES);
    this.notify({ logLine });
  }

  /** Counts a message that was refused. */
  countRefused(): void {
    this.#add("refused");
    this.notify({ counts: this.#counts });
  }

  /** Keeps a message among the last ones, counts it, and tells the subscribers. */
  #keep(
    kind: Exclude<keyof Counts, "refused">,
    message: ReceivedMessage<unknown>,
    change: StateChange,
  ): void {
    const list: ReceivedMessage<unknown>[] = this[kind];
    keepLast(list, message, kind === "pingResults" ? MAX_KEPT_RESULTS : MAX_KEPT);
    this.#add(kind);
    this.notify(change);
  }

  #add(name: keyof Counts): void {
    this.#counts = { ...this.#counts, [name]: this.#counts[name] + 1 };
  }
}

/** Appends to a list and drops its oldest items over the limit. */
export function keepLast<T>(list: T[], item: T, limit: number): void {
  list.push(item);
  if (list.length > limit) list.splice(0, list.length - limit);
}
