import type { FileArguments } from "./file_arguments.ts";
import { openForReading } from "./regular_file.ts";

/** A transfer of the panel's, good for one use. */
export interface Transfer {
  readonly id: string;
  readonly token: string;
}

/** Moves the bytes of transfers. Nothing of it keeps more than one buffer in memory. */
export interface FileTransfers {
  /**
   * Sends exactly `lengthBytes` bytes to the panel. `read` fills a buffer and gives the count; 0
   * ends the transfer with an error.
   *
   * @throws {Error} When the panel does not take all of them, or what `read` throws.
   */
  send(
    transfer: Transfer,
    body: { lengthBytes: number; read(into: Uint8Array<ArrayBuffer>): Promise<number> },
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Receives exactly `lengthBytes` bytes from the panel. The bytes are good until `write` settles.
   *
   * @throws {Error} When fewer or more of them come, or what `write` throws.
   */
  receive(
    transfer: Transfer,
    body: { lengthBytes: number; write(bytes: Uint8Array<ArrayBuffer>): Promise<void> },
    signal: AbortSignal,
  ): Promise<void>;
}

/** Largest part of a file in one transfer. */
export const MAX_TRANSFER_BYTES = 128 * 1024 * 1024;

/**
 * Sends a part of a file to the panel.
 *
 * @throws {Error} When the file is not the one that the download began with, is no regular file, or
 * the panel does not take the part.
 */
export async function sendFilePart(
  args: FileArguments,
  { transfers, signal }: { transfers: FileTransfers; signal: AbortSignal },
): Promise<object> {
  const path = args.path("path");
  const offset = args.integer("offset", { min: 0 });
  const lengthBytes = args.integer("length", { min: 1, max: MAX_TRANSFER_BYTES });
  const transfer = { id: args.id("transfer_id"), token: args.text("transfer_token") };
  const handle = await openForReading(path);
  try {
    const { size, mtime } = await handle.stat();
    const isSame = size === expectedSize(args, size) && isSameTime(args.text("modified_at"), mtime);
    if (!isSame || offset + lengthBytes > size) throw new Error(CHANGED);
    let sentBytes = 0;
    await transfers.send(transfer, {
      lengthBytes,
      async read(into) {
        const { bytesRead } = await handle.read(into, 0, into.length, offset + sentBytes);
        if (bytesRead === 0) throw new Error(CHANGED);
        sentBytes += bytesRead;
        return bytesRead;
      },
    }, signal);
    return { sent: lengthBytes };
  } finally {
    await handle.close();
  }
}

const CHANGED = "the file has changed since the download began";

function expectedSize(args: FileArguments, size: number): number {
  return args.has("file_size") ? args.integer("file_size", { min: 0 }) : size;
}

/** Whether a time is the one that the panel was given; without one every time is. */
function isSameTime(expected: string, actual: Date): boolean {
  const expectedMs = Date.parse(expected);
  // Go's zero time stands for "none".
  return !(expectedMs > 0) || expectedMs === Math.floor(actual.getTime());
}
