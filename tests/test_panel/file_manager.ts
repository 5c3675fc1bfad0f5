/**
 * The panel's file manager: operations on the node's files, downloads and uploads.
 *
 * @module
 */

import { abortable } from "@std/async/abortable";
import { jsonFields } from "../../lib/parse/json.ts";
import { PATIENCE_MS } from "../patience.ts";
import { realDeadline } from "../real_deadline.ts";
import { TransferRegistry } from "./file_transfers.ts";
import { filled } from "../../lib/demo/messages.ts";
import type { PanelNode } from "../../lib/demo/node.ts";

/** Sends file operations to the node and matches the results that it sends back. */
export class FileManager {
  /** Size of a part; a transfer holds one in memory. */
  chunkBytes = 4 * 1024 * 1024;
  /** Time after which a request without an answer fails. */
  answerMs = PATIENCE_MS;
  readonly transfers = new TransferRegistry();
  readonly #node: PanelNode;
  readonly #signal: AbortSignal;
  readonly #pending = new Map<string, PromiseWithResolvers<unknown>>();
  readonly #uuid = crypto.randomUUID();

  /** All requests fail when the signal aborts. */
  constructor(node: PanelNode, options: { signal: AbortSignal }) {
    this.#node = node;
    this.#signal = options.signal;
  }

  /**
   * Runs an operation on the node and returns its result.
   *
   * @throws {Error} When the node can't be reached or refuses.
   */
  async request(op: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    const requestId = crypto.randomUUID();
    const params = { uuid: this.#uuid, request_id: requestId, op, args };
    if (!this.#node.sendOrder({ method: "agent.file", params })) {
      throw new Error("Cannot manage files: the node can't be reached");
    }
    const pending = Promise.withResolvers<unknown>();
    this.#pending.set(requestId, pending);
    try {
      const answered = abortable(pending.promise, this.#signal);
      return await realDeadline(answered, { ms: this.answerMs, told: () => op });
    } finally {
      this.#pending.delete(requestId);
    }
  }

  /** Handles a result; false when none was expected. */
  receiveResult(params: unknown): boolean {
    const result = jsonFields(params);
    const { request_id: requestId, error } = filled({ request_id: "", error: "" }, params);
    const request = this.#pending.get(requestId);
    if (request === undefined) return false;
    this.#pending.delete(requestId);
    if (result["ok"] === true) request.resolve(result["result"] ?? null);
    else request.reject(new Error(error));
    return true;
  }

  /**
   * Downloads a file in parts.
   *
   * @throws {Error} When an operation fails.
   */
  async *download(path: string): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const { chunkBytes } = this;
    const info = jsonFields(await this.request("stat", { path }));
    const { size: fileBytes } = filled({ size: 0 }, info);
    for (let offset = 0, index = 0; offset < fileBytes; offset += chunkBytes, index++) {
      const length = Math.min(chunkBytes, fileBytes - offset);
      using transfer = this.transfers.open({ lengthBytes: length });
      const { id: transfer_id, token: transfer_token } = transfer;
      await this.request("download_stream", {
        ...{ path, offset, length, chunk_index: index, file_size: fileBytes },
        ...{ modified_at: info["modified_at"], transfer_id, transfer_token },
      });
      if (transfer.bytes === undefined) {
        throw new Error("Cannot download: the agent has sent no bytes");
      }
      yield transfer.bytes;
    }
  }

  /**
   * Uploads a file in parts, and makes an empty one without any.
   *
   * @throws {Error} When an operation fails; the upload is then cancelled.
   */
  async upload(path: string, content: Blob): Promise<void> {
    const { chunkBytes } = this;
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
        using transfer = this.transfers.open({ bytes: await chunk.bytes() });
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
