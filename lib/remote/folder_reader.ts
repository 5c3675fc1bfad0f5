/**
 * Reads folders as the kernel gives them: without a look at each file, and with names that are not UTF-8,
 * which the runtime leaves out.
 *
 * @module
 */

import { openLibrary } from "../host/ffi.ts";
import { decodePaths, encodePath } from "../parse/path.ts";
import { Turns } from "./task_queue.ts";

// Not by `import … from`, which a bundle would load at every start of the agent.
const { constants } = await import("node:fs");

/** An entry of a folder. */
export interface FolderEntry {
  /** Not well-formed where it is not UTF-8; the runtime can open nothing by such a name. */
  readonly name: string;
  readonly isFolder: boolean;
  readonly isFile: boolean;
}

/** Folders that are read at a time, over all requests. */
const PARALLEL_FOLDERS = 4;

const SYMBOLS = {
  open: { parameters: ["buffer", "i32"], result: "i32", nonblocking: true },
  // The oldest C library that the runtime works with lacks it.
  getdents64: {
    parameters: ["i32", "buffer", "usize"],
    result: "isize",
    nonblocking: true,
    optional: true,
  },
  close: { parameters: ["i32"], result: "i32" },
  statx: {
    parameters: ["i32", "buffer", "i32", "u32", "buffer"],
    result: "i32",
    nonblocking: true,
    optional: true,
  },
} as const;

/** What is known of an entry by its own name. */
export interface LookedAt {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: Date;
}

/** `struct statx` and its arguments, the same on all architectures. */
const STATX = {
  ...{ bytes: 256, uid: 20, gid: 24, mode: 28, size: 40, mtimeSeconds: 112 },
  ...{ atCwd: -100, noFollow: 0x100, basicMask: 0x7ff },
} as const;

const O_CLOEXEC = 0o2000000;

/** Kinds of entries in `struct linux_dirent64`, and where its fields are. */
const DIRENT = { length: 16, type: 18, name: 19 } as const;
const TYPE = { unknown: 0, folder: 4, file: 8 } as const;

const BUFFER_BYTES = 64 * 1024;

/** Reads folders for all requests, four at a time. */
export class FolderReader {
  readonly #turns = new Turns(PARALLEL_FOLDERS);
  readonly #calls = openLibrary(SYMBOLS).symbols;
  readonly #buffers: Uint8Array<ArrayBuffer>[] = [];

  /**
   * Reads a folder in pieces; while one is being read, no more than three others are.
   *
   * @param options `followsLink`: whether a link at its place is followed.
   * @throws {Error} When it can't be read.
   */
  async *read(
    path: string,
    { followsLink = true }: { followsLink?: boolean } = {},
  ): AsyncGenerator<readonly FolderEntry[]> {
    const turn = await this.#turns.take();
    using _ = turn;
    const { open, getdents64, close } = this.#calls;
    const { O_DIRECTORY, O_NOFOLLOW } = constants;
    const flags = O_DIRECTORY | O_CLOEXEC | (followsLink ? 0 : O_NOFOLLOW);
    const descriptor = getdents64 === null ? -1 : await open(encodePath(`${path}\0`), flags);
    // The runtime has the words of the failure.
    if (getdents64 === null || descriptor < 0) return yield* readByRuntime(path);
    const buffer = this.#buffers.pop() ?? new Uint8Array(BUFFER_BYTES);
    try {
      for (;;) {
        const count = Number(await getdents64(descriptor, buffer, BigInt(buffer.length)));
        if (count < 0) throw new Error(`input/output error, readdir '${path}'`);
        if (count === 0) return;
        yield await withTypes(path, parseEntries(buffer.subarray(0, count)));
      }
    } finally {
      close(descriptor);
      this.#buffers.push(buffer);
    }
  }

  /** All entries of a folder. @throws {Error} When it can't be read. */
  async list(path: string): Promise<FolderEntry[]> {
    const all: FolderEntry[] = [];
    for await (const entries of this.read(path)) all.push(...entries);
    return all;
  }

  /**
   * Looks at an entry whose name is not UTF-8, without following a link; `undefined` where that fails.
   */
  async look(folder: string, name: string): Promise<LookedAt | undefined> {
    const answer = new Uint8Array(STATX.bytes);
    const path = new Uint8Array([...encodePath(`${folder}/`), ...encodePath(`${name}\0`)]);
    const { statx } = this.#calls;
    const result = await statx?.(STATX.atCwd, path, STATX.noFollow, STATX.basicMask, answer);
    if (result !== 0) return undefined;
    const view = new DataView(answer.buffer);
    return {
      mode: view.getUint16(STATX.mode, true),
      uid: view.getUint32(STATX.uid, true),
      gid: view.getUint32(STATX.gid, true),
      size: Number(view.getBigUint64(STATX.size, true)),
      mtime: new Date(Number(view.getBigInt64(STATX.mtimeSeconds, true)) * 1000),
    };
  }
}

async function* readByRuntime(path: string): AsyncGenerator<readonly FolderEntry[]> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(path)) {
    yield [{ name, isFolder: isDirectory, isFile }];
  }
}

type ParsedEntry = FolderEntry & { readonly isUnknown: boolean };

/** Parses what `getdents64` gives, without `.` and `..`. */
export function parseEntries(bytes: Uint8Array<ArrayBuffer>): ParsedEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: ParsedEntry[] = [];
  for (let at = 0; at < bytes.length; at += view.getUint16(at + DIRENT.length, true)) {
    const start = at + DIRENT.name;
    const end = bytes.indexOf(0, start);
    const name = decodePaths(bytes.subarray(start, end));
    if (name === "." || name === "..") continue;
    const type = bytes[at + DIRENT.type];
    entries.push({
      name,
      isFolder: type === TYPE.folder,
      isFile: type === TYPE.file,
      isUnknown: type === TYPE.unknown,
    });
  }
  return entries;
}

/** Looks at those of which the file system does not give the kind. */
async function withTypes(folder: string, entries: ParsedEntry[]): Promise<FolderEntry[]> {
  if (!entries.some(({ isUnknown }) => isUnknown)) return entries;
  return await Promise.all(entries.map(async (entry) => {
    if (!entry.isUnknown) return entry;
    const info = await Deno.lstat(`${folder}/${entry.name}`).catch(() => undefined);
    return { ...entry, isFolder: info?.isDirectory ?? false, isFile: info?.isFile ?? false };
  }));
}
