import type { Programs } from "../host/programs.ts";
import { getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import type { FileResult } from "../types.ts";
import { execEnvironment } from "./exec_environment.ts";
import type { FileRequest, FileRequests } from "./file_requests.ts";
import type { FileTransfers } from "./file_transfer.ts";
import { ResultQueue } from "./result_queue.ts";

/** Settings of the panel's file requests. */
export interface FilesOptions {
  /** `undefined` when remote control is off: every request is refused. */
  readonly programs: Programs | undefined;
  /** Whether files may be read and changed; else every request is refused. */
  readonly allowsFiles: boolean;
  readonly transfers: FileTransfers;
  /** One attempt to send an answer; rejects when the panel has not accepted it. */
  sendFileResult(result: FileResult, signal: AbortSignal): Promise<void>;
  readonly timers: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
  /** 0 to below 1. */
  random(): number;
}

/** Refusals that wait for the panel; requests beyond that get no answer. */
const MAX_REFUSALS = 64;

/** The panel waits for an answer for 30 s, or a little longer. */
const RESULT_EXPIRES_MS = 60_000;

/** The official agent's words for "remote control is off"; panels look for them. */
const DISABLED = "web control is disabled";

/** Memory of one file in a list, roughly; the longest list must fit into the queue. */
const FILE_INFO_BYTES = 300;

/**
 * The panel's file requests: run, or refused. What runs them is loaded at the first request, since
 * most agents never get one.
 */
export class Files {
  readonly #options: FilesOptions;
  readonly #log = getLogger("remote");
  readonly #refusalLog = new LogRateLimit({ lines: 1, periodMs: Infinity });
  readonly #dropLog = new LogRateLimit({ lines: 1, periodMs: Infinity });
  readonly #results: ResultQueue<FileResult>;
  #requests: Promise<FileRequests> | undefined;
  #isClosed = false;

  constructor(options: FilesOptions) {
    this.#options = options;
    this.#results = new ResultQueue({
      ...options,
      send: (result, signal) => options.sendFileResult(result, signal),
      nameOf: ({ requestId }) => `the answer to file request ${requestId}`,
      sizeOf: ({ result }) => (Array.isArray(result) ? result.length : 1) * FILE_INFO_BYTES,
      expiresAfterMs: RESULT_EXPIRES_MS,
    });
  }

  /** Runs a request as soon as there is room, and sends its answer. */
  add(request: FileRequest): void {
    if (this.#isClosed) return;
    const { programs, allowsFiles } = this.#options;
    if (programs === undefined || !allowsFiles) return this.#refuse(request);
    this.#requests ??= this.#load(programs);
    this.#requests.then((requests) => requests.handle(request), () => {});
  }

  /** Ends all requests; resolves when nothing of them is left. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const requests = await this.#requests?.catch(() => undefined);
    await Promise.all([requests?.close(), this.#results.close()]);
  }

  async #load(programs: Programs): Promise<FileRequests> {
    const { FileRequests } = await import("./file_requests.ts");
    return new FileRequests({
      ...this.#options,
      home: execEnvironment(programs).account.home,
      answer: (result) => this.#results.add(result),
    });
  }

  #refuse({ requestId }: FileRequest): void {
    if (this.#refusalLog.allows()) {
      const reason = this.#options.programs === undefined
        ? "remote control is off"
        : "--disable-remote-files is set";
      this.#log.warning("Refused a file request of the panel: {reason}", { reason });
    }
    if (this.#results.size < MAX_REFUSALS) {
      this.#results.add({ requestId, ok: false, error: DISABLED });
    } else if (this.#dropLog.allows()) {
      this.#log.warning("The panel sends too many file requests: some get no answer");
    }
  }
}
