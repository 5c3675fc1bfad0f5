import type { FileHandle } from "node:fs/promises";
import type { FileArguments, FileContext } from "./file_arguments.ts";
import {
  createPrivateFile,
  isSameFile,
  openForReading,
  targetOf,
  writeFully,
} from "./open_file.ts";

// Not by `import … from`, which a bundle would load at every start of the agent.
const { posix } = await import("node:path");

/** One file that arrives in parts; at its end its temporary file is removed, if it has no other name. */
interface Upload extends AsyncDisposable {
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
  /** Until it is abandoned. */
  timer?: ReturnType<typeof setTimeout>;
}

/** Uploads at the same time. */
const MAX_UPLOADS = 64;

const MAX_CHUNKS = 65_536;

/** Largest part of a file. */
const MAX_CHUNK_BYTES = 128 * 1024 * 1024;

/** An upload of which no part began for so long is removed; none takes as long. */
const ABANDONED_MS = 30 * 60_000;

/**
 * Files that the panel uploads: each into a temporary file beside its target, which takes the
 * target's name when all parts are there.
 */
export class FileUploads {
  /** By id; a promise, since parts may come before the first one's file is there. */
  readonly #uploads = new Map<string, Promise<Upload>>();

  /**
   * Receives one part. Parts may come in any order and at the same time, but the first of them has
   * to say so; one that comes again is written again.
   *
   * @throws {Error} When the part does not belong to the upload, or does not arrive whole.
   */
  async receivePart(args: FileArguments, { transfers, signal }: FileContext): Promise<object> {
    const id = args.id("upload_id");
    const index = args.integer("chunk_index", 0, MAX_CHUNKS);
    const ticket = { id: args.id("transfer_id"), token: args.text("transfer_token") };
    if (args.flag("first")) await this.#begin(id, args);
    const upload = await this.#find(id);
    const offset = index * upload.chunkBytes;
    if (args.integer("offset", 0) !== offset || offset >= upload.totalBytes) {
      throw new RangeError(`invalid argument: part ${index} has a wrong offset`);
    }
    const lengthBytes = Math.min(upload.chunkBytes, upload.totalBytes - offset);
    const both = AbortSignal.any([signal, upload.ended.signal]);
    upload.received.delete(index);
    let position = offset;
    const receiving = transfers.receive(ticket, {
      lengthBytes,
      async write(bytes) {
        await writeFully(upload.handle, bytes, position);
        position += bytes.length;
      },
    }, both);
    upload.streams.add(receiving);
    await receiving.finally(() => upload.streams.delete(receiving));
    both.throwIfAborted();
    upload.received.add(index);
    return { received: lengthBytes, offset: offset + lengthBytes };
  }

  /**
   * Gives the file its name. One that was at its place keeps its permissions and, if possible, its
   * owner; a new one is readable by all.
   *
   * @throws {Error} When parts are missing; the upload can be continued then. When the file can't be
   * renamed; the upload is over then.
   */
  async commit(args: FileArguments): Promise<object> {
    const id = args.id("upload_id");
    const upload = await this.#find(id);
    const { totalBytes, chunkBytes, received } = upload;
    const count = Math.ceil(totalBytes / chunkBytes);
    if (received.size < count) {
      throw new Error(`the upload is incomplete: ${received.size} of ${count} parts are here`);
    }
    // No part is written from now on. A panel that asks again looks for the file itself.
    this.#uploads.delete(id);
    await using _ = upload;
    await nameFile(upload);
    return { received: 0, final: true, offset: totalBytes };
  }

  /** Ends an upload and removes its temporary file; one that is unknown is no error. */
  async cancel(args: FileArguments): Promise<object> {
    await this.#discard(args.id("upload_id"));
    return { cancelled: true };
  }

  /** Ends all uploads and removes their temporary files. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#uploads.keys(), (id) => this.#discard(id)));
  }

  /** Begins an upload, unless its first part comes again. */
  async #begin(id: string, args: FileArguments): Promise<void> {
    if (this.#uploads.has(id)) return;
    if (this.#uploads.size >= MAX_UPLOADS) {
      throw new Error("too many uploads at the same time: try again later");
    }
    // In the map before anything is awaited: other parts may be close behind.
    const beginning = createUpload(id, args);
    this.#uploads.set(id, beginning);
    try {
      await beginning;
    } catch (error) {
      this.#uploads.delete(id);
      throw error;
    }
  }

  /** Finds an upload of which something is asked, and which is not abandoned yet therefore. */
  async #find(id: string): Promise<Upload> {
    const upload = await this.#uploads.get(id);
    // Panels look for these words: at a commit they check by themselves whether the file is there.
    if (upload === undefined) {
      throw new Error("unknown upload session: its first part did not come");
    }
    clearTimeout(upload.timer);
    upload.timer = setTimeout(() => this.#discard(id), ABANDONED_MS);
    return upload;
  }

  async #discard(id: string): Promise<void> {
    const upload = await this.#uploads.get(id)?.catch(() => undefined);
    if (upload === undefined) return;
    upload.ended.abort(new Error("the upload was cancelled"));
    await Promise.allSettled(upload.streams);
    if (this.#uploads.delete(id)) await upload[Symbol.asyncDispose]();
  }
}

async function createUpload(id: string, args: FileArguments): Promise<Upload> {
  const totalBytes = args.integer("total_size", 1);
  const chunkBytes = args.integer("chunk_size", 1, MAX_CHUNK_BYTES);
  if (Math.ceil(totalBytes / chunkBytes) > MAX_CHUNKS) {
    throw new RangeError(`invalid argument: more than ${MAX_CHUNKS} parts`);
  }
  const target = await targetOf(args.pathBelowRoot("path"));
  await Deno.mkdir(posix.dirname(target), { recursive: true });
  const temporary = `${posix.dirname(target)}/.komari-upload-${id}.part`;
  await Deno.remove(temporary).catch(() => {});
  const handle = await createPrivateFile(temporary);
  const upload: Upload = {
    ...{ totalBytes, chunkBytes, target, temporary, handle },
    received: new Set(),
    streams: new Set(),
    ended: new AbortController(),
    async [Symbol.asyncDispose]() {
      clearTimeout(upload.timer);
      await handle.close();
      await Deno.remove(temporary).catch(() => {});
    },
  };
  return upload;
}

/** Gives the file of an upload its name, and what one at its place has. */
async function nameFile({ target, temporary, handle, totalBytes }: Upload): Promise<void> {
  const before = await Deno.lstat(target).catch(() => undefined);
  if (before !== undefined && !before.isFile && !before.isSymlink) {
    throw new TypeError(before.isDirectory ? "is a directory" : "not a regular file");
  }
  const own = await handle.stat();
  if (own.size !== totalBytes || !isSameFile(own, await Deno.lstat(temporary))) {
    throw new Error("the upload was disturbed");
  }
  if (before?.isFile) await handle.chown(before.uid ?? 0, before.gid ?? 0).catch(() => {});
  await handle.chmod(before?.isFile ? (before.mode ?? 0o644) & 0o777 : 0o644);
  await handle.sync();
  await Deno.rename(temporary, target);
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
  const offset = args.integer("offset", 0);
  // Komari asks for 128 MiB at most, others for a whole file.
  const lengthBytes = args.integer("length", 1);
  const ticket = { id: args.id("transfer_id"), token: args.text("transfer_token") };
  const path = await Deno.realPath(args.path("path"));
  const seen = await Deno.lstat(path);
  const expected = args.has("file_size") ? args.integer("file_size", 0) : seen.size;
  const handle = await openForReading(path, seen);
  await using _ = handle;
  // What a log has grown by since then is left out.
  const isSame = seen.size > expected ||
    (seen.size === expected && isSameTime(args.text("modified_at"), seen.mtime));
  if (!isSame || offset + lengthBytes > expected) throw new Error(CHANGED);
  let sentBytes = 0;
  await transfers.send(ticket, {
    lengthBytes,
    async read(into) {
      const { bytesRead } = await handle.read(into, 0, into.length, offset + sentBytes);
      if (bytesRead === 0) throw new Error(CHANGED);
      sentBytes += bytesRead;
      return bytesRead;
    },
  }, signal);
  return { sent: lengthBytes };
}

const CHANGED = "the file has changed since the download began";

/** Whether a time is the one that the panel was given; without one every time is. */
function isSameTime(expected: string, actual: Date | null): boolean {
  const expectedMs = Date.parse(expected);
  // Go's zero time stands for "none".
  return !(expectedMs > 0) || expectedMs === actual?.getTime();
}
