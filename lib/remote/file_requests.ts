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
  run(args: FileArguments, context: FileContext): Promise<unknown>;
}

/** A request that is run. */
interface Request {
  readonly requestId: string;
  readonly op: string;
  readonly operation: Operation;
  readonly args: FileArguments;
}

/** Memory of all requests that wait, roughly. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** Added to the length of each, so that their number is bounded too. */
const OVERHEAD_BYTES = 1024;

/** Changes of a minute that are logged at the level info; all others at debug. */
const LOGGED_A_MINUTE = 5;

/** The panel waits for most answers for 30 s, for some longer. */
const QUICK_MS = 25_000;
const CREATE_MS = 55_000;
const SLOW_MS = 85_000;
const TRANSFER_MS = 29 * 60_000;

const TOO_MANY = "too many file requests wait: try again later";

/** Runs the panel's file requests: a few at a time, each answered once and in time. */
export class FileRequests {
  readonly #home: string;
  readonly #send: (result: FileResult) => Promise<void>;
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
  readonly #uploads: FileUploads;
  readonly #tools: Omit<FileContext, "signal" | "untilSent">;
  readonly #operations: ReadonlyMap<string, Operation>;

  /**
   * @param options `home`: the folder that `~` stands for; `send`: takes an answer and resolves when it
   * was sent, or could not be sent yet; must not reject.
   */
  constructor(
    transfers: FileTransferClient,
    { home, send }: { home: string; send: (result: FileResult) => Promise<void> },
  ) {
    this.#home = home;
    this.#send = send;
    this.#uploads = new FileUploads(transfers);
    this.#operations = allOperations(this.#uploads);
    const [folders, longLists, garbage] = [new FolderReader(), new Turns(1), new LargeGarbage()];
    this.#tools = { transfers, folders, longLists, garbage };
  }

  /** Runs a request when its turn comes and answers it; one that came before is ignored. */
  handle({ requestId, op, args }: PanelOrder & { kind: "file" }): void {
    if (this.#ended.signal.aborted || !this.#recent.add(requestId)) return;
    try {
      const operation = this.#operations.get(op);
      if (operation === undefined) {
        throw new TypeError(`unsupported file operation: ${truncate(op, 40)}`);
      }
      const checked = new FileArguments(args, this.#home);
      const bytes = JSON.stringify(args).length + OVERHEAD_BYTES;
      if (this.#waitingBytes + bytes > MAX_WAITING_BYTES) throw new Error(TOO_MANY);
      this.#enqueue({ requestId, op, operation, args: checked }, bytes);
    } catch (error) {
      this.#answer(requestId, { error: fileErrorText(error) });
    }
  }

  /** Ends all that is in progress and removes what was not uploaded whole. */
  async close(): Promise<void> {
    this.#ended.abort(new DOMException("The agent ends", "AbortError"));
    const lanes = Object.values(this.#lanes).map((lane) => lane.close());
    await Promise.all([...lanes, this.#uploads.close()]);
    this.#tools.garbage.close();
  }

  #enqueue(request: Request, bytes: number): void {
    this.#waitingBytes += bytes;
    const { requestId, op, operation, args } = request;
    const late = new AbortController();
    let state: "waiting" | "running" | "answered" = "waiting";
    const answer = async (outcome: { result: unknown } | { error: string }) => {
      if (state === "answered") return;
      state = "answered";
      await this.#answer(requestId, outcome);
    };
    const timer = setTimeout(() => {
      const seconds = Math.round(operation.answerMs / 1000);
      if (state === "waiting") answer({ error: TOO_MANY });
      else if (operation.continues) {
        answer({ error: `${op} takes longer than ${seconds} s and continues` });
      } else answer({ error: `timeout: ${op} did not end within ${seconds} s` });
      if (!operation.continues) late.abort(new DOMException("The time is over", "TimeoutError"));
    }, operation.answerMs);
    this.#lanes[operation.lane].add(async () => {
      this.#waitingBytes -= bytes;
      // Nothing may be changed for a request that the panel takes for failed.
      if (state === "answered" || this.#ended.signal.aborted) return;
      state = "running";
      const untilSent = new DisposableStack();
      using _ = untilSent;
      try {
        const signal = AbortSignal.any([this.#ended.signal, late.signal]);
        const result = await operation.run(args, { ...this.#tools, signal, untilSent });
        this.#logOutcome(request, "done");
        // A list may take megabytes: the next one is read when this one is on its way.
        await answer({ result });
      } catch (error) {
        const text = fileErrorText(error, args.named);
        this.#logOutcome(request, text);
        if (!this.#ended.signal.aborted) await answer({ error: text });
      } finally {
        clearTimeout(timer);
      }
    });
  }

  #answer(requestId: string, outcome: { result: unknown } | { error: string }): Promise<void> {
    const ok = !("error" in outcome);
    return this.#send({ requestId, ok, error: "", ...outcome });
  }

  #logOutcome({ op, operation, args }: Request, outcome: string): void {
    const level = operation.changes && this.#changeLog.allows() ? "info" : "debug";
    this.#log[level]("File request {op} of {path}: {outcome}", {
      op,
      path: quoteStart(args.named, 200),
      outcome,
    });
  }
}

function allOperations(uploads: FileUploads): ReadonlyMap<string, Operation> {
  const quick = { lane: "quick", answerMs: QUICK_MS } as const;
  const change = { ...quick, changes: true } as const;
  const tree = { lane: "slow", answerMs: QUICK_MS, continues: true, changes: true } as const;
  const transfer = { lane: "transfer", answerMs: TRANSFER_MS } as const;
  return new Map<string, Operation>([
    ["list", { ...quick, run: listFolder }],
    ["list_roots", { ...quick, run: listRoots }],
    ["stat", { ...quick, run: statFile }],
    ["create", { ...change, answerMs: CREATE_MS, run: createFile }],
    ["mkdir", { ...change, run: makeFolder }],
    ["chmod", { ...change, run: changeMode }],
    ["chown", { ...change, run: changeOwner }],
    ["delete", { ...tree, run: deleteFile }],
    ["move", { ...tree, run: moveFile }],
    ["copy", { ...tree, run: copyFile }],
    ["search", { lane: "search", answerMs: SLOW_MS, run: searchFiles }],
    ["download_stream", { ...transfer, run: sendFilePart }],
    ["upload_stream", {
      ...transfer,
      run: (args, { signal }) => uploads.receivePart(args, signal),
    }],
    ["upload_commit", { ...change, answerMs: SLOW_MS, run: (args) => uploads.commit(args) }],
    ["upload_cancel", { ...quick, run: (args) => uploads.cancel(args) }],
  ]);
}
