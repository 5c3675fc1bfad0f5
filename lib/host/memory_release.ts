/**
 * Gives back memory that the program no longer needs.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { parseCleanFileMappings } from "../parse/smaps.ts";
import { NO_STUB, NO_STUB_VALUE, openLibrary } from "./ffi.ts";

/** Not every C library has it. It takes no address, so it may stay open in a sealed process. */
const LASTING_SYMBOLS = {
  malloc_trim: { parameters: ["usize", NO_STUB], result: "i32" },
} as const;

const FIRST_SYMBOLS = {
  madvise: { parameters: ["usize", "usize", "i32", NO_STUB], result: "i32" },
  mallopt: { parameters: ["i32", "i32", NO_STUB], result: "i32", optional: true },
} as const;

const MADV_DONTNEED = 4;
/** Parameters of `mallopt`, from `malloc.h`. */
const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;
/** Free bytes at the end of the heap above which they are returned; the next report needs some again. */
const TRIM_THRESHOLD_BYTES = 256 * 1024;
/** Size from which an allocation is returned when it is freed; by default it grows with those freed. */
const MMAP_THRESHOLD_BYTES = 64 * 1024;
const BUFFER_BYTES = 16 * 1024;

/**
 * Prepares to give memory back, before the process is sealed; the result does it, whenever it is called.
 *
 * From now on the C library returns larger pieces as soon as they are free, which is 0.7 MB less after
 * minutes. Each call does two things:
 *
 * - The engine collects garbage. By itself it does so about once an hour at one report a second, and
 *   has 4 MB more in its heap by then, and as much that connections have left outside of it.
 * - The C library returns what is free between pieces that are in use: 1.5 MB after hours of faults.
 *
 * The first call belongs after the start, and does a third: unchanged pages of the program's own file
 * leave the process. Those that are used come back by themselves; the others were for the start. The
 * kernel would take them when memory is short, and until then they look like the program's own.
 *
 * Where the system lacks one of these, the others are done.
 */
export function openMemoryRelease(): () => void {
  const isLinux = Deno.build.os === "linux";
  const trimHeap = isLinux ? openTrim() : undefined;
  let releasePages = isLinux ? openPageRelease() : undefined;
  return () => {
    collectGarbage();
    trimHeap?.();
    attempt(() => releasePages?.());
    releasePages = undefined;
  };
}

/** Lets the engine collect garbage, which it offers only with `--expose-gc`; in about 10 ms. */
export function collectGarbage(): void {
  const collect: unknown = Reflect.get(globalThis, "gc");
  if (typeof collect !== "function") return;
  collect({ type: "major", execution: "sync", flavor: "last-resort" });
}

/** Garbage that the engine would keep until its next regular collection: it lets 100 MB pile up before. */
const MUCH_BYTES = 256 * 1024;
/** Time without more garbage before it is collected. */
const COLLECT_AFTER_MS = 10_000;
/** It is collected at once after so many bytes. */
const MAX_UNCOLLECTED_BYTES = 1024 * 1024;

/** Has large garbage collected soon: the rare messages of megabytes leave several times as much. */
export class LargeGarbage {
  #bytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Adds bytes that are no longer needed. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= MAX_UNCOLLECTED_BYTES) this.#collect();
    if (bytes < MUCH_BYTES && this.#bytes < MUCH_BYTES) return;
    this.close();
    // Even after a collection: what has brought it may be held for a moment.
    this.#timer = setTimeout(() => this.#collect(), COLLECT_AFTER_MS);
  }

  /** Collects nothing any more. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #collect(): void {
    this.#bytes = 0;
    collectGarbage();
  }
}

function openTrim(): (() => void) | undefined {
  return attempt(() => {
    const { symbols } = openLibrary(LASTING_SYMBOLS);
    return () => void symbols.malloc_trim(0n, NO_STUB_VALUE);
  });
}

/**
 * Opens the file and the library of the first release, which closes both: an attacker's code in this
 * process must find no call that changes memory by address. Sets the thresholds of the C library.
 */
function openPageRelease(): (() => void) | undefined {
  return attempt(() => {
    const smaps = Deno.openSync("/proc/self/smaps");
    const library = openLibrary(FIRST_SYMBOLS);
    const { madvise, mallopt } = library.symbols;
    mallopt?.(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES, NO_STUB_VALUE);
    mallopt?.(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES, NO_STUB_VALUE);
    return () => {
      using _smaps = smaps;
      using _library = library;
      for (const { address, bytes } of parseCleanFileMappings(readText(smaps))) {
        madvise(BigInt(address), BigInt(bytes), MADV_DONTNEED, NO_STUB_VALUE);
      }
    };
  });
}

/** Reads a handle to its end. */
function readText(file: Deno.FsFile): string {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(BUFFER_BYTES);
  let text = "";
  for (let count; (count = file.readSync(buffer)) !== null;) {
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return text;
}
