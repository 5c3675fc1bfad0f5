/**
 * The system calls `statfs` and `statx`, through the C library.
 *
 * `node:fs` has them too, but loading it costs megabytes and milliseconds at every start. The library
 * is opened before the process is sealed. Nothing can be added to {@linkcode SYMBOLS} afterwards, and
 * these calls only read, into buffers that are made here.
 *
 * @module
 */

import { encodePath } from "../parse/path.ts";
import { NO_STUB, NO_STUB_VALUE, openLibrary } from "./ffi.ts";
import type { FileSystemUse } from "./host.ts";

const SYMBOLS = {
  statfs: { parameters: ["buffer", "buffer", NO_STUB], result: "i32" },
  statfsBeside: {
    name: "statfs",
    parameters: ["buffer", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  statx: {
    parameters: ["i32", "buffer", "i32", "u32", "buffer", NO_STUB],
    result: "i32",
    // The oldest C library that the runtime works with lacks it.
    optional: true,
  },
  __errno_location: { parameters: [NO_STUB], result: "pointer" },
} as const;

/** For `statx`: paths are taken as they are. */
const AT_FDCWD = -100;
/** `struct statx`, the same on all architectures: what is wanted, and the low 32 bits of it. */
const STATX = { bytes: 256, nlink: { mask: 4, at: 16 } } as const;

/** `struct statfs` of 64-bit Linux: 15 words, these among them. */
const STATFS = { words: 15, blocks: 2, bfree: 3, frsize: 9 } as const;

/** Errors of a path, from `errno.h`. */
const ERRORS: ReadonlyMap<number, readonly [code: string, text: string]> = new Map([
  [2, ["ENOENT", "no such file or folder"]],
  [5, ["EIO", "input/output error"]],
  [13, ["EACCES", "permission denied"]],
  [20, ["ENOTDIR", "a part of the path is no folder"]],
]);

/** The C library of 64-bit Linux. */
export class Libc {
  readonly #calls: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  /** The reason of the failure right before, on this thread. */
  readonly #errno: Int32Array;
  /** The last answer of `statfs`. */
  readonly #answer = new Uint32Array(2 * STATFS.words);

  /** @throws {Error} When it can't be opened: without the permission, or after the seal. */
  constructor() {
    this.#calls = openLibrary(SYMBOLS).symbols;
    // A pointer can't be followed after the seal, but memory that was mapped before stays readable.
    const errno = this.#calls.__errno_location(NO_STUB_VALUE);
    if (errno === null) throw new Error("Cannot open the C library: it has no errno");
    this.#errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(errno, 4));
  }

  /**
   * Space of the file system at a path, in units of `f_frsize`.
   *
   * @throws {Error} When that fails; its `code` is that of `errno.h`, such as `ENOTDIR`.
   */
  statfs(path: string): FileSystemUse {
    const result = this.#calls.statfs(cString(path), this.#answer, NO_STUB_VALUE);
    if (result === 0) return toUse(this.#answer, path);
    throw this.#failure("statfs", path);
  }

  /**
   * The same in a thread of its own, which may hang.
   *
   * @throws {Error} When that fails; the reason stays in that thread.
   */
  async statfsAsync(path: string): Promise<FileSystemUse> {
    const answer = new Uint32Array(2 * STATFS.words);
    const result = await this.#calls.statfsBeside(cString(path), answer);
    if (result !== 0) throw new Error(`Cannot statfs ${JSON.stringify(path)}`);
    return toUse(answer, path);
  }

  /**
   * A function that gives the number of hard links of a path; `undefined` where the library is too
   * old. It throws an `Error` when there is none.
   */
  openLinkCount(path: string): (() => number) | undefined {
    const { mask, at } = STATX.nlink;
    const { statx } = this.#calls;
    if (statx === null) return undefined;
    const name = cString(path);
    const answer = new Uint8Array(STATX.bytes);
    const view = new DataView(answer.buffer);
    return () => {
      const result = statx(AT_FDCWD, name, 0, mask, answer, NO_STUB_VALUE);
      if (result !== 0) throw this.#failure("statx", path);
      return view.getUint32(at, true);
    };
  }

  #failure(call: string, path: string): Error {
    const number = this.#errno[0] ?? 0;
    const [code, text] = ERRORS.get(number) ?? [undefined, `error ${number}`];
    const reason = code === undefined ? text : `${text} (${code})`;
    return Object.assign(new Error(`Cannot ${call} ${JSON.stringify(path)}: ${reason}`), { code });
  }
}

function cString(path: string): Uint8Array<ArrayBuffer> {
  // The library would take the part before it.
  if (path.includes("\0")) {
    throw new TypeError(`Cannot look at ${JSON.stringify(path)}: it contains a NUL`);
  }
  return encodePath(`${path}\0`);
}

/** The number of blocks by which a file system says that it has no size: `df` shows nothing of it. */
const NO_SIZE = 2 ** 64 - 1;

/**
 * Reads `struct statfs`.
 *
 * @throws {Error} When the file system at the path has no size.
 */
export function toUse(answer: Uint32Array, path: string): FileSystemUse {
  // In two halves: a BigInt would cost more than the rest.
  const word = (index: number) =>
    (answer[2 * index] ?? 0) + (answer[2 * index + 1] ?? 0) * 0x1_0000_0000;
  const blocks = word(STATFS.blocks);
  if (blocks === 0 || blocks >= NO_SIZE) {
    throw new Error(`Cannot statfs ${JSON.stringify(path)}: it has no size`);
  }
  return {
    blockSizeBytes: word(STATFS.frsize),
    blocks,
    freeBlocks: word(STATFS.bfree),
  };
}
