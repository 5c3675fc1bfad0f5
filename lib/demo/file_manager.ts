/**
 * The panel's file manager: operations on the node's files, downloads and uploads.
 *
 * @module
 */

import { fileResultViolations, type StoredFileResult } from "./file_contract.ts";
import type { TransferRegistry } from "./file_transfers.ts";
import type { PanelNode } from "./node.ts";
import { type WireValue, writeWireJson } from "./wire_json.ts";

/** An operation that the node has refused or not answered, with the panel's code. */
export class FileOperationError extends Error {
  override readonly name = "FileOperationError";
  /** A code of JSON-RPC: -32050 unsupported, -32041 not permitted, -32044 not found, -32603 else. */
  readonly code: number;

  constructor(message: string, options: { code: number }) {
    super(message);
    this.code = options.code;
  }
}

interface PendingRequest {
  readonly op: string;
  resolve(result: WireValue): void;
  reject(error: FileOperationError): void;
}

const ANSWER_TIMEOUT_MS = 30_000;
const LONG_TIMEOUT_MS = 90_000;
const STREAM_TIMEOUT_MS = 30 * 60_000;
const timeouts: Readonly<Record<string, number>> = {
  create: 60_000,
  search: LONG_TIMEOUT_MS,
  upload_commit: LONG_TIMEOUT_MS,
  download_stream: STREAM_TIMEOUT_MS,
  upload_stream: STREAM_TIMEOUT_MS,
};

/** Size of a part when none is wanted, in bytes. */
const DEFAULT_CHUNK_BYTES = 25 * 1024 * 1024;

/** Sends file operations to the node and matches the results that it sends back. */
export class FileManager {
  readonly #node: PanelNode;
  readonly #transfers: TransferRegistry;
  readonly #signal: AbortSignal;
  readonly #pending = new Map<string, PendingRequest>();
  readonly #uuid = crypto.randomUUID();

  constructor(options: { node: PanelNode; transfers: TransferRegistry; signal: AbortSignal }) {
    this.#node = options.node;
    this.#transfers = options.transfers;
    this.#signal = options.signal;
  }

  /**
   * Runs an operation on the node and returns its result.
   *
   * @throws {FileOperationError} When the node can't be reached, refuses or does not answer in time.
   */
  request(op: string, args: Readonly<Record<string, unknown>>): Promise<WireValue> {
    const requestId = crypto.randomUUID();
    const { promise, resolve, reject } = Promise.withResolvers<WireValue>();
    if (!this.#node.sendOrder({ file: { uuid: this.#uuid, requestId, op, args } })) {
      const message = "Cannot manage files: the node can't be reached";
      return Promise.reject(new FileOperationError(message, { code: -32603 }));
    }
    const fail = (message: string) => reject(new FileOperationError(message, { code: -32603 }));
    const timeoutMs = timeouts[op] ?? ANSWER_TIMEOUT_MS;
    const timer = setTimeout(() => fail(`${op} was not answered in time`), timeoutMs);
    const onAbort = () => fail("The panel was closed");
    this.#signal.addEventListener("abort", onAbort, { once: true });
    this.#pending.set(requestId, { op, resolve, reject });
    return promise.finally(() => {
      clearTimeout(timer);
      this.#signal.removeEventListener("abort", onAbort);
      this.#pending.delete(requestId);
    });
  }

  /** Handles a result; returns violations of the contract, `undefined` when none was expected. */
  receiveResult(result: StoredFileResult): readonly string[] | undefined {
    const request = this.#pending.get(result.requestId);
    if (request === undefined) return undefined;
    this.#pending.delete(result.requestId);
    if (result.ok) request.resolve(result.result);
    else request.reject(new FileOperationError(result.error, { code: errorCode(result.error) }));
    return fileResultViolations(request.op, result);
  }

  /**
   * Downloads a file in parts.
   *
   * @throws {FileOperationError} When an operation fails.
   */
  async *download(
    path: string,
    { chunkBytes = DEFAULT_CHUNK_BYTES }: { chunkBytes?: number } = {},
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const info = plainObject(await this.request("stat", { path }));
    const fileBytes = Number(info["size"]);
    for (let offset = 0, index = 0; offset < fileBytes; offset += chunkBytes, index++) {
      const length = Math.min(chunkBytes, fileBytes - offset);
      using transfer = this.#transfers.openDownload(length);
      const { id: transfer_id, token: transfer_token } = transfer;
      await this.request("download_stream", {
        ...{ path, offset, length, chunk_index: index, file_size: fileBytes },
        ...{ modified_at: info["modified_at"], transfer_id, transfer_token },
      });
      yield transfer.takeBytes();
    }
  }

  /**
   * Uploads a file in parts, and makes an empty one without any.
   *
   * @throws {FileOperationError} When an operation fails; the upload is then cancelled.
   */
  async upload(
    path: string,
    content: Blob,
    { chunkBytes = DEFAULT_CHUNK_BYTES }: { chunkBytes?: number } = {},
  ): Promise<void> {
    if (content.size === 0) {
      await this.request("create", { path });
      return;
    }
    const upload_id = crypto.randomUUID();
    const chunk_count = Math.ceil(content.size / chunkBytes);
    const common = {
      path,
      upload_id,
      chunk_count,
      total_size: content.size,
      chunk_size: chunkBytes,
    };
    try {
      for (let index = 0; index < chunk_count; index++) {
        const offset = index * chunkBytes;
        const chunk = content.slice(offset, offset + chunkBytes);
        using transfer = this.#transfers.openUpload(new Uint8Array(await chunk.arrayBuffer()));
        await this.request("upload_stream", {
          ...{ ...common, offset, chunk_index: index, first: index === 0, final: false },
          ...{ transfer_id: transfer.id, transfer_token: transfer.token },
        });
      }
      const last = { offset: content.size, chunk_index: chunk_count, first: false, final: true };
      await this.request("upload_commit", { ...common, ...last });
    } catch (error) {
      await this.request("upload_cancel", { path, upload_id }).catch(() => {});
      throw error;
    }
  }
}

/** The panel's code for an error in the node's words. */
function errorCode(error: string): number {
  const text = error.toLowerCase();
  if (text.includes("unsupported file operation")) return -32050;
  if (/permission denied|operation not permitted/.test(text)) return -32041;
  return /no such file|cannot find|not found/.test(text) ? -32044 : -32603;
}

function plainObject(value: WireValue): Record<string, unknown> {
  return { ...JSON.parse(writeWireJson(value)) };
}
