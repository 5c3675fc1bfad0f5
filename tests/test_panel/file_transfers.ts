/**
 * Transfers of parts of files, which an agent fetches or sends over HTTP.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { jsonAnswer, textAnswer, writeAnswer } from "./http.ts";
import { readBytes, type RequestHead } from "./http.ts";

/** The path of transfers, without the id. */
export const TRANSFER_PATH = "/api/clients/transfer/";

const MAX_TRANSFER_BYTES = 128 * 1024 * 1024;

/** A transfer of a part of a file; its disposal closes it. */
export interface PartTransfer extends Disposable {
  readonly id: string;
  readonly token: string;
  /** Number of bytes that the agent has to send; absent when it fetches them. */
  readonly lengthBytes?: number;
  bytes?: Uint8Array<ArrayBuffer>;
  isUsed: boolean;
}

/** Keeps open transfers and answers the agent's requests for them. */
export class TransferRegistry {
  readonly #open = new Map<string, PartTransfer>();

  /** Opens a transfer by which the agent sends that many bytes, or fetches these. */
  open(content: { lengthBytes?: number; bytes?: Uint8Array<ArrayBuffer> }): PartTransfer {
    const id = crypto.randomUUID();
    const token = crypto.randomUUID();
    const close = () => void this.#open.delete(id);
    const transfer = { id, token, isUsed: false, ...content, [Symbol.dispose]: close };
    this.#open.set(id, transfer);
    return transfer;
  }

  /** Answers a request; the caller has checked the node's token. */
  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    head: RequestHead,
  ): Promise<void> {
    const transfer = this.#find(head);
    if (transfer === undefined || transfer.isUsed) {
      request.resume();
      const refusal = transfer === undefined
        ? textAnswer(401, "invalid transfer")
        : textAnswer(409, "transfer was used");
      return writeAnswer(response, refusal);
    }
    transfer.isUsed = true;
    if (transfer.lengthBytes === undefined) return writeBytes(response, transfer.bytes);
    const bytes = await readExactly(request, transfer.lengthBytes);
    if (bytes === undefined) return writeAnswer(response, textAnswer(400, "wrong length"));
    transfer.bytes = bytes;
    writeAnswer(response, jsonAnswer(200, { received: bytes.length }));
  }

  #find({ path, query, headers }: RequestHead): PartTransfer | undefined {
    const transfer = this.#open.get(decodeURIComponent(path.slice(TRANSFER_PATH.length)));
    const token = headers["x-komari-transfer-token"] ?? query.get("transfer_token");
    return transfer?.token === token ? transfer : undefined;
  }
}

function writeBytes(response: ServerResponse, bytes = new Uint8Array()): void {
  response.writeHead(200, {
    "content-type": "application/octet-stream",
    "content-length": String(bytes.length),
  });
  response.end(bytes);
}

/** Reads a body of exactly that length; `undefined` when it, or its header, has another one. */
async function readExactly(
  request: IncomingMessage,
  lengthBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const isAllowed = lengthBytes >= 1 && lengthBytes <= MAX_TRANSFER_BYTES;
  if (!isAllowed || request.headers["content-length"] !== String(lengthBytes)) {
    request.resume();
    return undefined;
  }
  const body = await readBytes(request, lengthBytes);
  return body?.size === lengthBytes ? await body.bytes() : undefined;
}
