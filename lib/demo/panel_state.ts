/**
 * What the stand-in panel wants, and what has arrived at it.
 *
 * @module
 */

import { Listeners } from "./listeners.ts";
import type { WireBasicInfo } from "./basic_info_contract.ts";
import type { Fault } from "./fault.ts";
import type { Arrival, Call, Counts, News, Sockets, Violation } from "./panel_news.ts";
import type { WirePingResult } from "./ping_result_contract.ts";
import type { WireReport } from "./report_contract.ts";
import type { WireTaskResult } from "./task_result_contract.ts";
import type { WireTask } from "./wire_task.ts";

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
