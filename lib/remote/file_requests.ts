import { LargeGarbage } from "../host/memory_release.ts";
import { getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import type { FileTransferClient } from "../panel/file_transfers.ts";
import type { PanelOrder } from "../panel/orders.ts";
import { quoteStart, truncate } from "../parse/bounded_text.ts";
import type { FileResult } from "../types.ts";
import { FileArguments, type FileContext, fileErrorText } from "./file_arguments.ts";
import { copyFile, moveFile } from "./file_copy.ts";
import {
  changeMode,
  changeOwner,
  createFile,
  deleteFile,
  listFolder,
  listRoots,
  makeFolder,
  statFile,
} from "./file_operations.ts";
import { searchFiles } from "./file_search.ts";
import { FileUploads, sendFilePart } from "./file_transfer.ts";
import { FolderReader } from "./folder_reader.ts";
import { createTaskQueue, RecentIds, Turns } from "./task_queue.ts";

/** How an operation is run. */
interface Operation {
  /** Operations of a lane wait for each other only. */
  readonly lane: "quick" | "slow" | "search" | "transfer";
  /** The panel gets an answer within this time, finished or not. */
  readonly answerMs: number;
  /** Goes on after a late answer, for half of it would be worse; ended when the agent ends. */
  readonly continues?: boolean;
  /** Changes what is on the disk, which the log tells. */
  readonly changes?: boolean;
  run(args: FileArguments, context: FileContext & Uploading): Promise<unknown>;
}

interface Uploading {
  readonly uploads: FileUploads;
}

/** Memory of all requests that wait, roughly. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** Added to the length of each, so that their number is bounded too. */
const OVERHEAD_BYTES = 1024;

/** Changes of a minute that are logged at the level info; all others at debug. */
const LOGGED_A_MINUTE = 5;

const TOO_MANY = "too many file requests wait: try again later";

/** The panel waits for most answers for 30 s, for some longer. */
const QUICK = { lane: "quick", answerMs: 25_000 } as const;
const CHANGE = { ...QUICK, changes: true } as const;
const TREE = { ...CHANGE, lane: "slow", continues: true } as const;
const TRANSFER = { lane: "transfer", answerMs: 29 * 60_000 } as const;
const SLOW_MS = 85_000;

const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["list", { ...QUICK, run: listFolder }],
  ["list_roots", { ...QUICK, run: listRoots }],
  ["stat", { ...QUICK, run: statFile }],
  ["create", { ...CHANGE, answerMs: 55_000, run: createFile }],
  ["mkdir", { ...CHANGE, run: makeFolder }],
  ["chmod", { ...CHANGE, run: changeMode }],
  ["chown", { ...CHANGE, run: changeOwner }],
  ["delete", { ...TREE, run: deleteFile }],
  ["move", { ...TREE, run: moveFile }],
  ["copy", { ...TREE, run: copyFile }],
  ["search", { lane: "search", answerMs: SLOW_MS, run: searchFiles }],
  ["download_stream", { ...TRANSFER, run: sendFilePart }],
  ["upload_stream", { ...TRANSFER, run: (args, it) => it.uploads.receivePart(args, it) }],
  ["upload_commit", { ...CHANGE, answerMs: SLOW_MS, run: (args, it) => it.uploads.commit(args) }],
  ["upload_cancel", { ...QUICK, run: (args, it) => it.uploads.cancel(args) }],
]);

/** The machine and the panel of file requests. */
interface FileRequestsOptions {
  /** The folder that `~` stands for. */
  readonly home: string;
  /** Resolves when an answer was sent, or could not be sent yet; must not reject. */
  send(result: FileResult): Promise<void>;
}

/** Runs the panel's file requests: a few at a time, each answered once and in time. */
export class FileRequests {
  readonly #options: FileRequestsOptions;
  readonly #log = getLogger("remote");
  readonly #changeLog = new LogRateLimit({ lines: LOGGED_A_MINUTE });
  readonly #ended = new AbortController();
  readonly #recent = new RecentIds();
  readonly #lanes = {
    // Their bytes are bounded.
    quick: createTaskQueue({ concurrency: 4, capacity: Infinity }),
    slow: createTaskQueue({ concurrency: 2, capacity: Infinity }),
    search: createTaskQueue({ concurrency: 2, capacity: Infinity }),
    transfer: createTaskQueue({ concurrency: 4, capacity: Infinity }),
  };
  #waitingBytes = 0;
  readonly #tools: Omit<FileContext & Uploading, "signal" | "untilSent">;

  constructor(transfers: FileTransferClient, options: FileRequestsOptions) {
    this.#options = options;
    this.#tools = {
      transfers,
      uploads: new FileUploads(),
      folders: new FolderReader(),
      longLists: new Turns(),
      garbage: new LargeGarbage(),
    };
  }

  /** Runs a request when its turn comes and answers it; one that came before is ignored. */
  handle(order: PanelOrder & { kind: "file" }): void {
    const { requestId, op, args } = order;
    if (this.#ended.signal.aborted || !this.#recent.add(requestId)) return;
    try {
      const operation = OPERATIONS.get(op);
      if (operation === undefined) {
        throw new TypeError(`unsupported file operation: ${truncate(op, 40)}`);
      }
      const bytes = JSON.stringify(args).length + OVERHEAD_BYTES;
      if (this.#waitingBytes + bytes > MAX_WAITING_BYTES) throw new Error(TOO_MANY);
      this.#enqueue(order, operation, bytes);
    } catch (error) {
      this.#answer(requestId, { error: fileErrorText(error) });
    }
  }

  /** Ends all that is in progress and removes what was not uploaded whole. */
  async close(): Promise<void> {
    this.#ended.abort(new DOMException("The agent ends", "AbortError"));
    const lanes = Object.values(this.#lanes).map((lane) => lane.close());
    await Promise.all([...lanes, this.#tools.uploads.close()]);
    this.#tools.garbage.close();
  }

  #enqueue(order: PanelOrder & { kind: "file" }, operation: Operation, bytes: number): void {
    this.#waitingBytes += bytes;
    const { requestId, op } = order;
    const args = new FileArguments(order.args, this.#options.home);
    const late = new AbortController();
    let state: "waiting" | "running" | "answered" = "waiting";
    const answer = async (outcome: { result: unknown } | { error: string }) => {
      if (state === "answered") return;
      state = "answered";
      await this.#answer(requestId, outcome);
    };
    const timer = setTimeout(() => {
      const seconds = Math.round(operation.answerMs / 1000);
      const isLate = operation.continues
        ? `${op} takes longer than ${seconds} s and continues`
        : `timeout: ${op} did not end within ${seconds} s`;
      answer({ error: state === "waiting" ? TOO_MANY : isLate });
      if (!operation.continues) late.abort(new DOMException("The time is over", "TimeoutError"));
    }, operation.answerMs);
    const log = (outcome: string) => {
      const level = operation.changes && this.#changeLog.allows() ? "info" : "debug";
      const path = quoteStart(args.named, 200);
      this.#log[level]("File request {op} of {path}: {outcome}", { op, path, outcome });
    };
    this.#lanes[operation.lane].add(async () => {
      this.#waitingBytes -= bytes;
      // Nothing may be changed for a request that the panel takes for failed.
      if (state === "answered") return;
      state = "running";
      const untilSent = new DisposableStack();
      using _ = untilSent;
      try {
        const signal = AbortSignal.any([this.#ended.signal, late.signal]);
        const result = await operation.run(args, { ...this.#tools, signal, untilSent });
        log("done");
        // A list may take megabytes: the next one is read when this one is on its way.
        await answer({ result });
      } catch (error) {
        const text = fileErrorText(error, args.named);
        log(text);
        if (!this.#ended.signal.aborted) await answer({ error: text });
      } finally {
        clearTimeout(timer);
      }
    });
  }

  #answer(requestId: string, outcome: { result: unknown } | { error: string }): Promise<void> {
    return this.#options.send({ requestId, ok: !("error" in outcome), error: "", ...outcome });
  }
}
