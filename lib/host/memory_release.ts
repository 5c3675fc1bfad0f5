/**
 * Gives back memory that the program no longer needs.
 *
 * @module
 */

import { parseCleanFileMappings } from "../parse/smaps.ts";
import { NO_STUB, NO_STUB_VALUE } from "./ffi_stub.ts";

const SYMBOLS = {
  madvise: { parameters: ["usize", "usize", "i32", NO_STUB], result: "i32" },
  // Not every C library has these two.
  mallopt: { parameters: ["i32", "i32", NO_STUB], result: "i32", optional: true },
  malloc_trim: { parameters: ["usize", NO_STUB], result: "i32", optional: true },
} as const;

const MADV_DONTNEED = 4;
/** Parameters of `mallopt`, from `malloc.h`. */
const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;
/** Half of the defaults, which moreover grow with what is freed. */
const MALLOC_THRESHOLD_BYTES = 64 * 1024;
const BUFFER_BYTES = 16 * 1024;

/**
 * Prepares to give memory back, before the process is sealed; the result does it, whenever it is called.
 *
 * The engine collects garbage. By itself it does so about once an hour at one report a second, and has
 * 4 MB more in its heap by then, and as much that connections have left outside of it.
 *
 * From now on the C library returns memory as soon as 64 KiB are free, which is 0.8 MB less after
 * minutes. The first call of the result does more, and belongs after the start:
 *
 * - The C library returns what is free.
 * - Unchanged pages of the program's own file leave the process. Those that are used come back by
 *   themselves; the others were for the start. The kernel would take them when memory is short, and
 *   until then they look like the program's own.
 *
 * Where the system lacks one of these, the others are done.
 */
export function openMemoryRelease(): () => void {
  const collectGarbage = findCollector();
  let system = Deno.build.os === "linux" ? openSystem() : undefined;
  return () => {
    collectGarbage?.();
    try {
      system?.release();
    } catch {
      // It stays as it is.
    }
    system = undefined;
  };
}

/** The engine's function, which only `--expose-gc` provides. */
function findCollector(): (() => void) | undefined {
  const collect: unknown = Reflect.get(globalThis, "gc");
  if (typeof collect !== "function") return undefined;
  return () => void collect({ type: "major", execution: "sync", flavor: "last-resort" });
}

/**
 * Opens the file and the library of the first release, which closes both: an attacker's code in this
 * process must find no call that changes memory by address.
 */
function openSystem(): { release(): void } | undefined {
  try {
    const smaps = Deno.openSync("/proc/self/smaps");
    const library = Deno.dlopen("libc.so.6", SYMBOLS);
    for (const parameter of [M_TRIM_THRESHOLD, M_MMAP_THRESHOLD]) {
      library.symbols.mallopt?.(parameter, MALLOC_THRESHOLD_BYTES, NO_STUB_VALUE);
    }
    return {
      release() {
        try {
          const { malloc_trim: trim, madvise } = library.symbols;
          trim?.(0n, NO_STUB_VALUE);
          for (const { address, bytes } of parseCleanFileMappings(readText(smaps))) {
            madvise(BigInt(address), BigInt(bytes), MADV_DONTNEED, NO_STUB_VALUE);
          }
        } finally {
          smaps.close();
          library.close();
        }
      },
    };
  } catch {
    return undefined;
  }
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
