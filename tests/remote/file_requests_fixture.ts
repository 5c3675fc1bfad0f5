import { FileRequests, type FileRequestsOptions } from "../../lib/remote/file_requests.ts";
import type { FileResult } from "../../lib/types.ts";
import type { FileTransfers, Transfer } from "../../lib/remote/file_transfer.ts";

/** Transfers of a panel that keeps all bytes in memory. */
export class FakeTransfers implements FileTransfers {
  /** What was sent, by transfer. */
  readonly sent = new Map<string, Uint8Array>();
  /** What the panel gives, by transfer; cut off there when it is shorter than asked for. */
  readonly offered = new Map<string, Uint8Array<ArrayBuffer>>();
  /** Called before each piece. */
  beforePiece: (transfer: Transfer, signal: AbortSignal) => Promise<void> = () => Promise.resolve();

  async send(
    transfer: Transfer,
    body: { lengthBytes: number; read(into: Uint8Array<ArrayBuffer>): Promise<number> },
    signal: AbortSignal,
  ): Promise<void> {
    const whole = new Uint8Array(body.lengthBytes);
    for (let at = 0; at < whole.length;) {
      await this.beforePiece(transfer, signal);
      const count = await body.read(whole.subarray(at, at + 1000));
      if (count === 0) throw new Error("the body is too short");
      at += count;
    }
    this.sent.set(transfer.id, whole);
  }

  async receive(
    transfer: Transfer,
    body: { lengthBytes: number; write(bytes: Uint8Array<ArrayBuffer>): Promise<void> },
    signal: AbortSignal,
  ): Promise<void> {
    const bytes = this.offered.get(transfer.id) ?? new Uint8Array(0);
    for (let at = 0; at < bytes.length; at += 1000) {
      await this.beforePiece(transfer, signal);
      await body.write(bytes.subarray(at, at + 1000));
    }
    if (bytes.length !== body.lengthBytes) throw new Error("the transfer was cut off");
  }
}

/** File requests within a temporary folder, and the answers to them. */
export class FilesUnderTest {
  readonly transfers = new FakeTransfers();
  readonly answers: FileResult[] = [];
  readonly requests: FileRequests;
  readonly #waiting = new Map<string, (result: FileResult) => void>();
  #count = 0;

  constructor(readonly folder: string, options: Partial<FileRequestsOptions> = {}) {
    this.requests = new FileRequests({
      home: folder,
      transfers: this.transfers,
      answer: (result) => {
        this.answers.push(result);
        this.#waiting.get(result.requestId)?.(result);
      },
      timers: globalThis,
      monotonicMs: () => performance.now(),
      ...options,
    });
  }

  /** The answer to a request. */
  ask(op: string, args: Record<string, unknown> = {}): Promise<FileResult> {
    const requestId = `r${++this.#count}`;
    const { promise, resolve } = Promise.withResolvers<FileResult>();
    this.#waiting.set(requestId, resolve);
    this.requests.handle({ requestId, op, args });
    return promise;
  }

  /** What a request that goes well gives. */
  async result(op: string, args: Record<string, unknown> = {}): Promise<unknown> {
    const { ok, result, error } = await this.ask(op, args);
    if (!ok) throw new Error(`${op} failed: ${error}`);
    return result;
  }

  /** Why a request fails. */
  async error(op: string, args: Record<string, unknown> = {}): Promise<string> {
    const { ok, error } = await this.ask(op, args);
    if (ok) throw new Error(`${op} went well`);
    return error;
  }
}

/** Gives a test file requests and a folder that is removed afterwards. */
export async function withFiles(
  use: (files: FilesUnderTest) => Promise<void>,
  options: Partial<FileRequestsOptions> = {},
): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  const files = new FilesUnderTest(folder, options);
  try {
    await use(files);
  } finally {
    await files.requests.close();
    await Deno.remove(folder, { recursive: true });
  }
}
