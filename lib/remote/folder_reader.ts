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

/** What is known of an entry by its own name. */
export interface LookedAt {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: Date;
}

/** Folders that are read at a time, over all requests. */
const PARALLEL_FOLDERS = 4;

/** Entries that are given at a time. */
const PIECE = 1_000;

const SYMBOLS = {
  scandir: {
    parameters: ["buffer", "buffer", "pointer", "pointer"],
    result: "i32",
    nonblocking: true,
  },
  free: { parameters: ["pointer"], result: "void" },
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
    using _ = await this.#turns.take();
    const { scandir, free } = this.#calls;
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
        const entries: ParsedEntry[] = [];
        for (const address of addresses.subarray(at, at + PIECE)) {
          const view = viewAt(address);
          const entry = parseEntry(view);
          if (entry.name !== "." && entry.name !== "..") entries.push(entry);
          free(view.pointer);
          at++;
        }
        yield await withTypes(path, entries);
      }
    } finally {
      for (const address of addresses.subarray(at)) free(viewAt(address).pointer);
      free(list.pointer);
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
    const { atCwd, noFollow, basicMask } = STATX;
    const result = await this.#calls.statx(atCwd, path, noFollow, basicMask, answer);
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

type ParsedEntry = FolderEntry & { readonly isUnknown: boolean };

function viewAt(address: bigint): Deno.UnsafePointerView {
  const pointer = Deno.UnsafePointer.create(address);
  if (pointer === null) throw new TypeError("the C library gave no entry");
  return new Deno.UnsafePointerView(pointer);
}

function parseEntry(view: Deno.UnsafePointerView): ParsedEntry {
  const type = view.getUint8(DIRENT.type);
  let name = view.getCString(DIRENT.name);
  if (name.includes("\ufffd")) {
    const rest = view.getArrayBuffer(view.getUint16(DIRENT.length) - DIRENT.name, DIRENT.name);
    const bytes = new Uint8Array(rest);
    name = decodePaths(bytes.slice(0, bytes.indexOf(0)));
  }
  return {
    name,
    isFolder: type === TYPE.folder,
    isFile: type === TYPE.file,
    isUnknown: type === TYPE.unknown,
  };
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
