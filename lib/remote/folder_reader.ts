/**
 * Reads folders as the kernel gives them: without a look at each file, and with names that are not UTF-8,
 * which the runtime leaves out.
 *
 * @module
 */

import { openLibrary } from "../host/ffi.ts";
import { decodePaths, encodePath } from "../parse/path.ts";
import { Turns } from "./task_queue.ts";

/** An entry of a folder. */
export interface FolderEntry {
  /** Not well-formed where it is not UTF-8; the runtime can open nothing by such a name. */
  readonly name: string;
  readonly isFolder: boolean;
  readonly isFile: boolean;
}

/** Metadata of an entry; of a link, not of its target. */
export type LookedAt = Pick<
  Deno.FileInfo,
  "mode" | "isSymlink" | "uid" | "gid" | "size" | "mtime"
>;

/** Folders that are read at a time, over all requests. */
const PARALLEL_FOLDERS = 4;

/** Entries that are given at a time. */
const PIECE = 1_000;

/** Entries that take half a megabyte, which the C library would keep for the next. */
const MANY = 10_000;

const SYMBOLS = {
  scandir: {
    parameters: ["buffer", "buffer", "pointer", "pointer"],
    result: "i32",
    nonblocking: true,
  },
  free: { parameters: ["pointer"], result: "void" },
  malloc_trim: { parameters: ["usize"], result: "i32" },
  statx: {
    parameters: ["i32", "buffer", "i32", "u32", "buffer"],
    result: "i32",
    nonblocking: true,
  },
} as const;

/** `struct statx` and its arguments, the same on all architectures. */
const STATX = {
  ...{ bytes: 256, uid: 20, gid: 24, mode: 28, size: 40, mtimeSeconds: 112 },
  ...{ atCwd: -100, noFollow: 0x100, basicMask: 0x7ff },
} as const;

/** The bits of a mode that say what kind of file it is, and those of a link. */
export const S_IFMT = 0o170000;
const S_IFLNK = 0o120000;

/** Fields of `struct dirent` of 64-bit Linux, and kinds of entries. */
const DIRENT = { length: 16, type: 18, name: 19 } as const;
const TYPE = { unknown: 0, folder: 4, file: 8 } as const;

/** Room for the address of the list, before the path in the same buffer: both live as long as the call. */
const ADDRESS = "\0".repeat(8);

/** Reads folders for all requests, four at a time. */
export class FolderReader {
  readonly #turns = new Turns(PARALLEL_FOLDERS);
  readonly #calls = openLibrary(SYMBOLS).symbols;

  /**
   * Reads a folder, and gives its entries in pieces; while one is being read, no more than three others
   * are. One call reads all of it, since each call to another thread takes longer than a small folder.
   *
   * @throws {Error} When it can't be read.
   */
  async *read(path: string): AsyncGenerator<readonly FolderEntry[]> {
    const turn = await this.#turns.take();
    using _ = turn;
    const { scandir, free, malloc_trim } = this.#calls;
    const call = encodePath(`${ADDRESS}${path}\0`);
    const count = await scandir(call.subarray(ADDRESS.length), call, null, null);
    const address = new DataView(call.buffer, call.byteOffset).getBigUint64(0, true);
    if (count < 0) {
      // The runtime has the words of the failure.
      await Deno.readDir(path)[Symbol.asyncIterator]().next();
      throw new Error(`input/output error, readdir '${path}'`);
    }
    if (count === 0) return;
    const list = viewAt(address);
    const addresses = new BigUint64Array(list.getArrayBuffer(8 * count));
    let at = 0;
    try {
      while (at < count) {
        const entries: FolderEntry[] = [];
        for (const address of addresses.subarray(at, at + PIECE)) {
          const view = viewAt(address);
          const type = view.getUint8(DIRENT.type);
          const name = nameOf(view);
          free(view.pointer);
          at++;
          if (name === "." || name === "..") continue;
          // Few file systems keep no types.
          const info = type === TYPE.unknown ? await lookSafely(`${path}/${name}`) : undefined;
          const isFolder = info?.isDirectory ?? type === TYPE.folder;
          entries.push({ name, isFolder, isFile: info?.isFile ?? type === TYPE.file });
        }
        yield entries;
      }
    } finally {
      for (const address of addresses.subarray(at)) free(viewAt(address).pointer);
      free(list.pointer);
      if (count > MANY) malloc_trim(0n);
    }
  }

  /** Looks at a path that is not UTF-8, without following a link. @throws {Error} When it fails. */
  async look(path: string): Promise<LookedAt> {
    const answer = new Uint8Array(STATX.bytes);
    const name = encodePath(`${path}\0`);
    const { atCwd, noFollow, basicMask } = STATX;
    const result = await this.#calls.statx(atCwd, name, noFollow, basicMask, answer);
    if (result !== 0) throw new Error("Cannot look at a path that is not UTF-8");
    const view = new DataView(answer.buffer);
    const mode = view.getUint16(STATX.mode, true);
    return {
      mode,
      isSymlink: (mode & S_IFMT) === S_IFLNK,
      uid: view.getUint32(STATX.uid, true),
      gid: view.getUint32(STATX.gid, true),
      size: Number(view.getBigUint64(STATX.size, true)),
      mtime: new Date(Number(view.getBigInt64(STATX.mtimeSeconds, true)) * 1000),
    };
  }
}

function viewAt(address: bigint): Deno.UnsafePointerView {
  const pointer = Deno.UnsafePointer.create(address);
  if (pointer === null) throw new TypeError("the C library gave no entry");
  return new Deno.UnsafePointerView(pointer);
}

function nameOf(entry: Deno.UnsafePointerView): string {
  const name = entry.getCString(DIRENT.name);
  if (!name.includes("\ufffd")) return name;
  const restBytes = entry.getUint16(DIRENT.length) - DIRENT.name;
  const bytes = new Uint8Array(entry.getArrayBuffer(restBytes, DIRENT.name));
  return decodePaths(bytes.subarray(0, bytes.indexOf(0)));
}

function lookSafely(path: string): Promise<Deno.FileInfo | undefined> {
  return Deno.lstat(path).catch(() => undefined);
}
