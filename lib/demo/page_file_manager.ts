/**
 * The page's file manager: lists folders, downloads and uploads files of the node.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { FileManager } from "./file_manager.ts";
import { jsonAnswer, textAnswer, writeAnswer } from "./http_answer.ts";
import { readBytes, readHead } from "./http_request.ts";
import { refuseForeignPage, refuseWithoutKey } from "./page_routes.ts";

/** The path of the page's file requests, without the operation. */
export const FILE_REQUESTS_PATH = "/demo/files/";

const MAX_UPLOAD_BYTES = 128 * 1024 * 1024;

/** Answers a file request; its query names the path, a header holds the key. */
export async function answerFileRequest(
  request: IncomingMessage,
  response: ServerResponse,
  { files, key }: { files: FileManager; key: string | undefined },
): Promise<void> {
  const head = readHead(request);
  const path = head.query.get("path") ?? "";
  const refusal = (head.method === "POST" ? undefined : textAnswer(405, "Use POST.")) ??
    refuseForeignPage(head) ??
    refuseWithoutKey(head.headers["x-demo-key"] ?? null, key);
  if (refusal !== undefined) {
    request.resume();
    return writeAnswer(response, refusal);
  }
  try {
    switch (head.path.slice(FILE_REQUESTS_PATH.length)) {
      case "list": {
        const list = await files.request("list", { path });
        return writeAnswer(response, jsonAnswer(200, list));
      }
      case "download":
        return await sendFile(response, files.download(path));
      case "upload": {
        const content = await readBytes(request, MAX_UPLOAD_BYTES);
        if (content === undefined) return writeAnswer(response, textAnswer(413, "Too large"));
        await files.upload(path, content);
        return writeAnswer(response, jsonAnswer(200, {}));
      }
      default:
        return writeAnswer(response, textAnswer(404, "No such thing"));
    }
  } catch (error) {
    if (response.headersSent) response.destroy();
    else writeAnswer(response, textAnswer(409, error instanceof Error ? error.message : "Failed"));
  }
}

/** Sends parts as fast as they are read; fails before the first byte when the first part fails. */
async function sendFile(
  response: ServerResponse,
  parts: AsyncGenerator<Uint8Array<ArrayBuffer>>,
): Promise<void> {
  const first = await parts.next();
  response.writeHead(200, { "content-type": "application/octet-stream" });
  if (first.done !== true) {
    response.write(first.value);
    for await (const part of parts) {
      if (response.destroyed) return;
      await new Promise<void>((resolve) => response.write(part, () => resolve()));
    }
  }
  response.end();
}
