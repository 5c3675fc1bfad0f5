import type { Programs } from "../host/programs.ts";
import { describeError } from "../log/log.ts";
import type { FileTransferClient } from "../panel/file_transfers.ts";
import type { MessageLimit } from "../panel/message_limit.ts";
import type { PanelOrder } from "../panel/orders.ts";
import type { PanelSender } from "../panel/panel_sender.ts";
import type { FileResult } from "../types.ts";
import { execEnvironment } from "./exec_environment.ts";
import type { FileRequests } from "./file_requests.ts";
import { type QueuedResult, ResultQueue } from "./result_queue.ts";

/** The clients of a panel, by which files and the answers to requests travel. */
export interface FilePanel {
  readonly sender: PanelSender;
  readonly transfers: FileTransferClient;
  readonly limit: MessageLimit;
}

/** The panel waits for an answer for 30 s, or a little longer. */
const RESULT_EXPIRES_MS = 60_000;

/** The official agent's words for "remote control is off"; panels look for them. */
const DISABLED = "web control is disabled";

const STOPPED = "the agent stops: try again later";

/** One file in the answer, roughly; the longest list must fit into the queue. */
const FILE_INFO_BYTES = 300;

/**
 * The panel's file requests: run, or refused. What runs them is loaded at the first request, since
 * most agents never get one.
 */
export class Files {
  readonly #programs: Programs | undefined;
  readonly #panel: FilePanel;
  readonly #results = new ResultQueue();
  #requests: Promise<FileRequests> | undefined;
  #isClosed = false;

  /** @param programs `undefined` when the panel may not manage files: every request is refused then. */
  constructor(programs: Programs | undefined, panel: FilePanel) {
    this.#programs = programs;
    this.#panel = panel;
  }

  /** Runs a request as soon as there is room, and sends its answer. */
  handle(order: PanelOrder & { kind: "file" }): void {
    if (this.#isClosed) return this.#addRefusal(order.requestId, STOPPED);
    if (this.#programs === undefined) return this.#addRefusal(order.requestId, DISABLED);
    this.#requests ??= this.#load(this.#programs);
    this.#requests.then((requests) => requests.handle(order), (error) => {
      this.#addRefusal(order.requestId, `files can't be managed: ${describeError(error)}`);
    });
  }

  /** Answers a request that was not read, since it is too long. */
  refuseLong(requestId: string, reason: string): void {
    this.#addRefusal(requestId, this.#programs === undefined ? DISABLED : reason);
  }

  /** Ends all requests; resolves when nothing of them is left. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const requests = await this.#requests?.catch(() => undefined);
    await Promise.all([requests?.close(), this.#results.close()]);
  }

  async #load(programs: Programs): Promise<FileRequests> {
    const { FileRequests } = await import("./file_requests.ts");
    return new FileRequests(this.#panel.transfers, {
      home: execEnvironment(programs).account.home,
      send: (result) => {
        // Thousands of small files are no flood.
        if (result.ok) this.#panel.limit.giveBack();
        return this.#results.add(this.#queued(result));
      },
    });
  }

  #queued(result: FileResult): QueuedResult {
    const count = Array.isArray(result.result) ? result.result.length : 1;
    const { requestId } = result;
    const size = count === 1 ? "" : ` of ${count} files`;
    const error = `the answer${size} is too large for this panel: use a terminal`;
    const { sender } = this.#panel;
    return {
      name: `the answer to file request ${requestId}`,
      bytes: count * FILE_INFO_BYTES,
      expiresAfterMs: RESULT_EXPIRES_MS,
      send: (signal, isShort) =>
        sender.sendFileResult(isShort ? { requestId, ok: false, error } : result, signal),
    };
  }

  #addRefusal(requestId: string, error: string): void {
    this.#results.addRefusal(this.#queued({ requestId, ok: false, error }));
  }
}
