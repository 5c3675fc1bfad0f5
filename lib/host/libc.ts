/**
 * Two read-only questions to the kernel, asked through the C library.
 *
 * `node:fs` knows them too, but loading it costs megabytes and milliseconds at every start. The
 * library is opened before the process is sealed, and the seal holds all the same: nothing can be
 * added to {@linkcode SYMBOLS} afterwards, and what stands there neither starts nor opens nor
 * changes anything.
 *
 * @module
 */

import type { FileSystemUse } from "./host.ts";

/**
 * Passed by value behind a call's true arguments. The callee never looks at it, and the runtime
 * does not compile machine code for calls that have it; the compiler alone would cost 2 MB.
 */
const NO_STUB = { struct: ["u8"] } as const;
const NO_STUB_VALUE = new Uint8Array(1);

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

/** For `statx`: paths are taken as they are, and the number of links is what is wanted. */
const AT_FDCWD = -100;
const STATX_NLINK = 4;

/** `struct statx` is the same on all architectures: `stx_nlink` lies behind mask, block size and attributes. */
const STATX = { bytes: 256, nlink: 16 } as const;

/** `struct statfs` of 64-bit Linux: 15 words, these among them. */
const STATFS = { words: 15, blocks: 2, bfree: 3, bavail: 4, frsize: 9 } as const;

/** The one error that callers tell from others. */
const ENOTDIR = 20;

/** The C library of 64-bit Linux; the runtime is linked with it, so it is always there. */
export class Libc {
  readonly #calls: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  readonly #encoder = new TextEncoder();

  /** @throws {Error} When it can't be opened: without the right to, or after the seal. */
  constructor() {
    try {
      this.#calls = Deno.dlopen("libc.so.6", SYMBOLS).symbols;
    } catch (cause) {
      throw new Error("Cannot open the C library", { cause });
    }
  }

  /**
   * Space of the file system at a path, in units of `f_frsize`.
   *
   * @throws {Error} When the path can't be asked; its `code` is `ENOTDIR` when a part of it is no folder.
   */
  statfs(path: string): FileSystemUse {
    const answer = new BigUint64Array(STATFS.words);
    const result = this.#calls.statfs(this.#cString(path), bytesOf(answer), NO_STUB_VALUE);
    if (result === 0) return toUse(answer);
    const code = this.#errno() === ENOTDIR ? "ENOTDIR" : undefined;
    throw Object.assign(cannotAsk(path), { code });
  }

  /**
   * The same in a thread of its own, which may hang.
   *
   * @throws {Error} When the path can't be asked.
   */
  async statfsAsync(path: string): Promise<FileSystemUse> {
    const answer = new BigUint64Array(STATFS.words);
    const result = await this.#calls.statfsBeside(this.#cString(path), bytesOf(answer));
    if (result !== 0) throw cannotAsk(path);
    return toUse(answer);
  }

  /**
   * A function that gives the number of hard links of what lies at a path; `undefined` where the
   * library is too old. It throws an `Error` when nothing lies there.
   */
  openLinkCount(path: string): (() => number) | undefined {
    const { statx } = this.#calls;
    if (statx === null) return undefined;
    const name = this.#cString(path);
    const answer = new Uint8Array(STATX.bytes);
    const view = new DataView(answer.buffer);
    return () => {
      const result = statx(AT_FDCWD, name, 0, STATX_NLINK, answer, NO_STUB_VALUE);
      if (result !== 0) throw cannotAsk(path);
      return view.getUint32(STATX.nlink, true);
    };
  }

  /** The reason of the failure right before, on this thread. */
  #errno(): number | undefined {
    const place = this.#calls.__errno_location(NO_STUB_VALUE);
    return place === null ? undefined : new Deno.UnsafePointerView(place).getInt32();
  }

  #cString(path: string): Uint8Array<ArrayBuffer> {
    // The library would ask for what lies at the part before it.
    if (path.includes("\0")) throw cannotAsk(path);
    return this.#encoder.encode(`${path}\0`);
  }
}

function bytesOf(words: BigUint64Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(words.buffer);
}

function toUse(answer: BigUint64Array): FileSystemUse {
  const word = (index: number) => Number(answer[index]);
  return {
    blockSizeBytes: word(STATFS.frsize),
    blocks: word(STATFS.blocks),
    freeBlocks: word(STATFS.bfree),
    availableBlocks: word(STATFS.bavail),
  };
}

function cannotAsk(path: string): Error {
  return new Error(`Cannot ask the kernel about ${JSON.stringify(path)}`);
}
