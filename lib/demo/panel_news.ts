/**
 * What can happen at the stand-in panel.
 *
 * @module
 */

import type { WireBasicInfo } from "./basic_info_contract.ts";
import type { Fault } from "./fault.ts";
import type { WirePingResult } from "./ping_result_contract.ts";
import type { WireReport } from "./report_contract.ts";
import type { WireTaskResult } from "./task_result_contract.ts";
import type { WireTask } from "./wire_task.ts";

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
