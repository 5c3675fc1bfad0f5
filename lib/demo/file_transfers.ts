/**
 * Transfers of parts of files, which an agent fetches or sends over HTTP.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { type Answer, jsonAnswer, textAnswer, writeAnswer } from "./http_answer.ts";
import { readHead, type RequestHead } from "./http_request.ts";

/** The path of transfers, without the id. */
export const TRANSFER_PATH = "/api/clients/transfer/";

const MAX_TRANSFER_BYTES = 128 * 1024 * 1024;
/** A transfer has to begin within this time. */
const BEGIN_MS = 2 * 60_000;

/** An open transfer; its disposal closes it. */
export interface OpenedTransfer extends Disposable {
  readonly id: string;
  readonly token: string;
}

/** A transfer from the agent. */
export interface Download extends OpenedTransfer {
  /** The bytes that the agent has sent. @throws {Error} When it has sent none. */
  takeBytes(): Uint8Array<ArrayBuffer>;
}

interface OpenTransfer {
  readonly token: string;
  readonly expiresAtMs: number;
  isUsed: boolean;
  /** Number of bytes that the agent has to send; absent for an upload. */
  readonly lengthBytes?: number;
  bytes?: Uint8Array<ArrayBuffer>;
}

/** Keeps open transfers and answers the agent's requests for them. */
export class TransferRegistry {
  readonly #open = new Map<string, OpenTransfer>();

  /** Opens a transfer by which the agent sends exactly that many bytes. */
  openDownload(lengthBytes: number): Download {
    const transfer = this.#add({ lengthBytes });
    const takeBytes = () => {
      const bytes = this.#open.get(transfer.id)?.bytes;
      if (bytes === undefined) throw new Error("Cannot download: the agent has sent no bytes");
      return bytes;
    };
    return { ...transfer, takeBytes };
  }

  /** Opens a transfer by which the agent fetches these bytes. */
  openUpload(bytes: Uint8Array<ArrayBuffer>): OpenedTransfer {
    return this.#add({ bytes });
  }

  /** Answers a request; the caller has checked the node's token. Returns the status. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<number> {
    const head = readHead(request);
    const transfer = this.#find(head);
    const refusal = transfer === undefined
      ? textAnswer(401, "invalid transfer")
      : transfer.isUsed
      ? textAnswer(409, "transfer was used")
      : undefined;
    if (transfer === undefined || refusal !== undefined) {
      request.resume();
      return write(response, refusal ?? textAnswer(401, "invalid transfer"));
    }
    transfer.isUsed = true;
    if (transfer.lengthBytes === undefined) return writeBytes(response, transfer.bytes);
    const bytes = await readExactly(request, transfer.lengthBytes);
    if (bytes === undefined) return write(response, textAnswer(400, "wrong length"));
    transfer.bytes = bytes;
    return write(response, jsonAnswer(200, { received: bytes.length }));
  }

  #add(content: Pick<OpenTransfer, "lengthBytes" | "bytes">): OpenedTransfer {
    const id = crypto.randomUUID();
    const token = crypto.getRandomValues(new Uint8Array(16)).toHex();
    const expiresAtMs = performance.now() + BEGIN_MS;
    this.#open.set(id, { token, expiresAtMs, isUsed: false, ...content });
    return { id, token, [Symbol.dispose]: () => void this.#open.delete(id) };
  }

  #find({ path, query, headers }: RequestHead): OpenTransfer | undefined {
    const transfer = this.#open.get(decodeURIComponent(path.slice(TRANSFER_PATH.length)));
    const token = headers["x-komari-transfer-token"] ?? query.get("transfer_token");
    const isValid = transfer?.token === token && performance.now() < (transfer?.expiresAtMs ?? 0);
    return isValid ? transfer : undefined;
  }
}

function write(response: ServerResponse, answer: Answer): number {
  writeAnswer(response, answer);
  return answer.status;
}

function writeBytes(response: ServerResponse, bytes = new Uint8Array()): number {
  const headers = {
    "content-type": "application/octet-stream",
    "content-length": String(bytes.length),
  };
  response.writeHead(200, headers);
  response.end(bytes);
  return 200;
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
  const bytes = new Uint8Array(lengthBytes);
  let position = 0;
  for await (const chunk of request) {
    const part = new Uint8Array(chunk);
    if (position + part.length > lengthBytes) return undefined;
    bytes.set(part, position);
    position += part.length;
  }
  return position === lengthBytes ? bytes : undefined;
}
