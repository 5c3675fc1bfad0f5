import type { FileTransferClient } from "../panel/file_transfers.ts";
import type { FileArguments } from "./file_arguments.ts";
import { FileError } from "./file_context.ts";
import { openForReading } from "./regular_file.ts";

/**
 * Sends a part of a file to the panel.
 *
 * @throws {Error} When the file is not the one that the download began with, is no regular file, or
 * the panel does not take the part.
 */
export async function sendFilePart(
  args: FileArguments,
  { transfers, signal }: { transfers: FileTransferClient; signal: AbortSignal },
): Promise<object> {
  const path = args.path("path");
  const offset = args.integer("offset", { min: 0 });
  // Komari asks for 128 MiB at most, others for a whole file.
  const lengthBytes = args.integer("length", { min: 1 });
  const transfer = { id: args.id("transfer_id"), token: args.text("transfer_token") };
  await using handle = await openForReading(path);
  const { size, mtime } = await handle.stat();
  const expected = args.has("file_size") ? args.integer("file_size", { min: 0 }) : size;
  // What a log has grown by since then is left out.
  const isSame = size > expected ||
    (size === expected && isSameTime(args.text("modified_at"), mtime));
  if (!isSame || offset + lengthBytes > expected) throw new FileError(path, CHANGED);
  let sentBytes = 0;
  await transfers.send(transfer, {
    lengthBytes,
    async read(into) {
      const { bytesRead } = await handle.read(into, 0, into.length, offset + sentBytes);
      if (bytesRead === 0) throw new FileError(path, CHANGED);
      sentBytes += bytesRead;
      return bytesRead;
    },
  }, signal);
  return { sent: lengthBytes };
}

const CHANGED = "the file has changed since the download began";

/** Whether a time is the one that the panel was given; without one every time is. */
function isSameTime(expected: string, actual: Date): boolean {
  const expectedMs = Date.parse(expected);
  // Go's zero time stands for "none".
  return !(expectedMs > 0) || expectedMs === Math.floor(actual.getTime());
}
