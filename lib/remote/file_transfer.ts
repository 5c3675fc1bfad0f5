import type { FileHandle } from "node:fs/promises";
import type { FileTransferClient } from "../panel/file_transfers.ts";
import { syncFile } from "../state/atomic_write.ts";
import { type FileArguments, type FileContext, FileError } from "./file_arguments.ts";
import {
  createPrivateFile,
  isSameFile,
  openForReading,
  targetOf,
  writeFully,
} from "./regular_file.ts";

// Not by `import … from`, which a bundle would load at every start of the agent.
const { posix } = await import("node:path");

/** One file that arrives in parts. */
interface Upload {
  /** Where the file goes: behind a link at the path that the panel has named. */
  readonly target: string;
  readonly totalBytes: number;
  readonly chunkBytes: number;
  readonly temporary: string;
  /** Of the temporary file: another one at its place is not written to. */
  readonly handle: FileHandle;
  readonly received: Set<number>;
  /** Parts that arrive now. */
  readonly streams: Set<Promise<unknown>>;
  readonly ended: AbortController;
  /** Set while the file gets its name: no part is written meanwhile. */
  committing: Promise<object> | undefined;
  usedAtMs: number;
}

/** Uploads at the same time. */
const MAX_UPLOADS = 64;

const MAX_CHUNKS = 65_536;

/** Largest part of a file. */
const MAX_CHUNK_BYTES = 128 * 1024 * 1024;

/** An upload of which nothing came for so long is removed when another one begins. */
const ABANDONED_MS = 30 * 60_000;

/**
 * Files that the panel uploads: each into a temporary file beside its target, which takes the
 * target's name when all parts are there.
 */
export class FileUploads {
  readonly #transfers: FileTransferClient;
  /** By id; a promise, since parts may come before the first one's file is there. */
  readonly #uploads = new Map<string, Promise<Upload>>();

  constructor(transfers: FileTransferClient) {
    this.#transfers = transfers;
  }

  /**
   * Receives one part. Parts may come in any order and at the same time, but the first of them has
   * to say so; one that comes again is written again.
   *
   * @throws {Error} When the part does not belong to the upload, or does not arrive whole.
   */
  async receivePart(args: FileArguments, signal: AbortSignal): Promise<object> {
    const id = args.id("upload_id");
    const index = args.integer("chunk_index", { min: 0, max: MAX_CHUNKS });
    const ticket = { id: args.id("transfer_id"), token: args.text("transfer_token") };
    if (args.flag("first")) await this.#begin(id, args);
    const upload = await this.#find(id);
    if (upload.committing !== undefined) {
      throw new Error("all parts are here: the file gets its name");
    }
    const offset = index * upload.chunkBytes;
    if (args.integer("offset", { min: 0 }) !== offset || offset >= upload.totalBytes) {
      throw new RangeError(`invalid argument: part ${index} has a wrong offset`);
    }
    const lengthBytes = Math.min(upload.chunkBytes, upload.totalBytes - offset);
    const both = AbortSignal.any([signal, upload.ended.signal]);
    upload.received.delete(index);
    let position = offset;
    const receiving = this.#transfers.receive(ticket, {
      lengthBytes,
      async write(bytes) {
        await writeFully(upload.handle, bytes, position);
        position += bytes.length;
      },
    }, both);
    upload.streams.add(receiving);
    try {
      await receiving;
      both.throwIfAborted();
      upload.received.add(index);
    } finally {
      upload.streams.delete(receiving);
      upload.usedAtMs = performance.now();
    }
    return { received: lengthBytes, offset: offset + lengthBytes };
  }

  /**
   * Gives the file its name. One that was at its place keeps its permissions and, if possible, its
   * owner; a new one is readable by all.
   *
   * @throws {Error} When parts are missing or the file can't be renamed; the upload can be continued then.
   */
  async commit(args: FileArguments): Promise<object> {
    const id = args.id("upload_id");
    const upload = await this.#find(id);
    // A panel that asks twice gets one answer twice.
    upload.committing ??= this.#commit(id, upload).finally(() => upload.committing = undefined);
    return await upload.committing;
  }

  async #commit(id: string, upload: Upload): Promise<object> {
    const { target, temporary, handle, totalBytes, chunkBytes, received, streams } = upload;
    const count = Math.ceil(totalBytes / chunkBytes);
    if (streams.size > 0 || received.size < count) {
      throw new Error(`the upload is incomplete: ${received.size} of ${count} parts are here`);
    }
    const before = await Deno.lstat(target).catch(() => undefined);
    if (before !== undefined && !before.isFile && !before.isSymlink) {
      throw new FileError(target, before.isDirectory ? "is a directory" : "not a regular file");
    }
    const own = await handle.stat();
    if (own.size !== totalBytes || !isSameFile(own, await Deno.lstat(temporary))) {
      throw new Error("the upload was disturbed");
    }
    if (before?.isFile) await handle.chown(before.uid ?? 0, before.gid ?? 0).catch(() => {});
    await handle.chmod(before?.isFile ? (before.mode ?? 0o644) & 0o777 : 0o644);
    await handle.sync();
    await Deno.rename(temporary, target);
    this.#uploads.delete(id);
    await handle.close();
    await syncFile(posix.dirname(target)).catch(() => {});
    return { received: 0, final: true, offset: totalBytes };
  }

  /** Ends an upload and removes its temporary file; one that is unknown is no error. */
  async cancel(args: FileArguments): Promise<object> {
    const id = args.id("upload_id");
    const path = args.path("path");
    if (this.#uploads.has(id)) {
      await this.#discard(id);
    } else if (args.has("path")) {
      // An agent that was started anew knows nothing of it.
      await Deno.remove(temporaryOf(await targetOf(path), id)).catch(() => {});
    }
    return { cancelled: true };
  }

  /** Ends all uploads and removes their temporary files. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#uploads.keys(), (id) => this.#discard(id)));
  }

  /** Begins an upload, unless its first part comes again. */
  async #begin(id: string, args: FileArguments): Promise<void> {
    const path = args.pathBelowRoot("path");
    const totalBytes = args.integer("total_size", { min: 1 });
    const chunkBytes = args.integer("chunk_size", { min: 1, max: MAX_CHUNK_BYTES });
    if (Math.ceil(totalBytes / chunkBytes) > MAX_CHUNKS) {
      throw new RangeError(`invalid argument: more than ${MAX_CHUNKS} parts`);
    }
    if (this.#uploads.has(id)) return;
    this.#discardAbandoned();
    if (this.#uploads.size >= MAX_UPLOADS) {
      throw new Error("too many uploads at the same time: try again later");
    }
    // In the map before anything is awaited: other parts may be close behind.
    const beginning = createUpload(id, { path, totalBytes, chunkBytes });
    this.#uploads.set(id, beginning);
    try {
      await beginning;
    } catch (error) {
      this.#uploads.delete(id);
      throw error;
    }
  }

  async #find(id: string): Promise<Upload> {
    const upload = await this.#uploads.get(id);
    // Panels look for these words: at a commit they check by themselves whether the file is there.
    if (upload === undefined) {
      throw new Error("unknown upload session: its first part did not come");
    }
    return upload;
  }

  async #discard(id: string): Promise<void> {
    const upload = await this.#uploads.get(id)?.catch(() => undefined);
    if (upload === undefined) return;
    upload.ended.abort(new Error("the upload was cancelled"));
    await Promise.allSettled([...upload.streams, upload.committing]);
    if (!this.#uploads.delete(id)) return;
    await upload.handle.close();
    await Deno.remove(upload.temporary).catch(() => {});
  }

  /** Removes abandoned uploads soon. Never rejects. */
  async #discardAbandoned(): Promise<void> {
    for (const [id, beginning] of this.#uploads) {
      const upload = await beginning.catch(() => undefined);
      const isIdle = upload !== undefined && upload.streams.size === 0 &&
        performance.now() - upload.usedAtMs >= ABANDONED_MS;
      if (isIdle) await this.#discard(id);
    }
  }
}

async function createUpload(
  id: string,
  { path, ...sizes }: { path: string; totalBytes: number; chunkBytes: number },
): Promise<Upload> {
  const target = await targetOf(path);
  await Deno.mkdir(posix.dirname(target), { recursive: true });
  const temporary = temporaryOf(target, id);
  await Deno.remove(temporary).catch(() => {});
  return {
    ...{ ...sizes, target, temporary, handle: await createPrivateFile(temporary) },
    received: new Set(),
    streams: new Set(),
    ended: new AbortController(),
    committing: undefined,
    usedAtMs: performance.now(),
  };
}

function temporaryOf(target: string, id: string): string {
  return posix.join(posix.dirname(target), `.komari-upload-${id}.part`);
}

/**
 * Sends a part of a file to the panel.
 *
 * @throws {Error} When the file is not the one that the download began with, is no regular file, or
 * the panel does not take the part.
 */
export async function sendFilePart(
  args: FileArguments,
  { transfers, signal }: FileContext,
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
