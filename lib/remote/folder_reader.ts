/**
 * Reads folders as the kernel gives them: without a look at each file, and with names that are not UTF-8,
 * which the runtime leaves out.
 *
 * @module
 */

import { openLibrary } from "../host/ffi.ts";
import { decodePaths, encodePath } from "../parse/path.ts";

// Not by `import … from`, which a bundle would load at every start of the agent.
const { constants } = await import("node:fs");

/** Entries that are given at a time. */
const PIECE = 1_000;

/** Entries that take half a megabyte, which the C library would keep for the next. */
const MANY = 10_000;

const SYMBOLS = {
  scandir: { parameters: ["buffer", "buffer", "usize", "usize"], result: "i32", nonblocking: true },
  argz_create: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
  globfree: { parameters: ["buffer"], result: "void" },
  free: { parameters: ["u64"], result: "void" },
  malloc_trim: { parameters: ["usize"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32", nonblocking: true },
  close: { parameters: ["i32"], result: "i32" },
} as const;

/** Opens what a path names without reading rights or an effect; for no other program. */
const O_PATH_CLOEXEC = 0o12000000;

/** Where `struct dirent` of 64-bit Linux has the kind of an entry, and its name behind it. */
const TYPE_AT = 18n;

/** Room for the address of the list, before the path in the same buffer: both live as long as the call. */
const ADDRESS = "\0".repeat(8);

/** Reads folders for all requests. */
export class FolderReader {
  readonly #calls = openLibrary(SYMBOLS).symbols;

  /**
   * Reads a folder, and gives its entries in pieces. One call to another thread reads all of it, and one
   * more makes a text of a piece: a call takes longer than all else about a small folder.
   *
   * A name that is not UTF-8 is not well-formed; the runtime can open nothing by it.
   *
   * @throws {Error} When it can't be read.
   */
  async read(path: string, take: (entries: readonly Deno.DirEntry[]) => void): Promise<void> {
    const { scandir, globfree, malloc_trim } = this.#calls;
    const call = encodePath(`${ADDRESS}${path}\0`);
    const count = await scandir(call.subarray(ADDRESS.length), call, 0n, 0n);
    if (count < 0) return await readByRuntime(path, take);
    if (count === 0) return;
    const list = new DataView(call.buffer).getBigUint64(0, true);
    const addresses = new BigUint64Array(memoryAt(list, 8 * count));
    try {
      for (let at = 0; at < count; at += PIECE) {
        const texts = this.#textsOf(addresses.subarray(at, at + PIECE));
        // Few file systems keep no kinds.
        if (texts.includes("")) return await readByRuntime(path, take);
        take(texts.map(entryOf).filter(({ name }) => name !== "." && name !== ".."));
      }
    } finally {
      // A `glob_t` of this list: all entries and the list are freed by one call.
      globfree(BigUint64Array.of(BigInt(count), list, ...Array<bigint>(7).fill(0n)));
      if (count > MANY) malloc_trim(0n);
    }
  }

  /** Looks at a path that is not UTF-8, without following a link. @throws {Error} When it fails. */
  async look(path: string): Promise<Deno.FileInfo> {
    const { open, close } = this.#calls;
    const descriptor = await open(encodePath(`${path}\0`), O_PATH_CLOEXEC | constants.O_NOFOLLOW);
    try {
      return await Deno.stat(`/proc/self/fd/${descriptor}`);
    } finally {
      close(descriptor);
    }
  }

  /** The kinds and names of entries. */
  #textsOf(entries: BigUint64Array): string[] {
    const { argz_create, free } = this.#calls;
    const argz = new BigUint64Array(2);
    const starts = new BigUint64Array(entries.length + 1);
    entries.forEach((entry, at) => starts[at] = entry + TYPE_AT);
    argz_create(starts, argz.subarray(0, 1), argz.subarray(1));
    const [address = 0n, length = 0n] = argz;
    try {
      return textsIn(new Uint8Array(memoryAt(address, Number(length))));
    } finally {
      free(address);
    }
  }
}

/** The runtime has the words of a failure, and looks at each entry where its kind is not kept. */
async function readByRuntime(
  path: string,
  take: (entries: readonly Deno.DirEntry[]) => void,
): Promise<void> {
  for await (const entry of Deno.readDir(path)) take([entry]);
}

function memoryAt(address: bigint, bytes: number): ArrayBuffer {
  const pointer = Deno.UnsafePointer.create(address);
  if (pointer === null) throw new TypeError("the C library gave no memory");
  return Deno.UnsafePointerView.getArrayBuffer(pointer, bytes);
}

/** Texts that end with a NUL each; one that is not UTF-8 is not well-formed. */
function textsIn(bytes: Uint8Array): string[] {
  const text = new TextDecoder().decode(bytes);
  if (!text.includes("\ufffd")) return text.split("\0").slice(0, -1);
  const texts: string[] = [];
  for (let at = 0, end = 0; at < bytes.length; at = end + 1) {
    end = bytes.indexOf(0, at);
    texts.push(decodePaths(bytes.subarray(at, end)));
  }
  return texts;
}

/** An entry from its kind, `DT_…` of the C library, and its name. */
function entryOf(text: string): Deno.DirEntry {
  const kind = text.charCodeAt(0);
  return {
    name: text.slice(1),
    isFile: kind === 8,
    isDirectory: kind === 4,
    isSymlink: kind === 10,
  };
}
