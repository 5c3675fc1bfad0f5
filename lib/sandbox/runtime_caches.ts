import { NO_STUB, NO_STUB_VALUE, openLibrary } from "../host/ffi.ts";

/**
 * Names of the runtime's caches and of their SQLite journals. The index of a journal (`-shm`) stays
 * as it is: it holds locks, which SQLite would wait for, and no content.
 */
const CACHE_NAME = /_cache_v\d+(-(wal|journal))?( \(deleted\))?$/;

const SYMBOLS = {
  open: { parameters: ["buffer", "i32", NO_STUB], result: "i32" },
  dup3: { parameters: ["i32", "i32", "i32", NO_STUB], result: "i32" },
  close: { parameters: ["i32", NO_STUB], result: "i32" },
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64", NO_STUB], result: "isize" },
} as const;

const O_RDONLY = 0;
const O_CLOEXEC = 0o2000000;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_PRIVATE = 2;
const MAP_FIXED = 0x10;

/**
 * Makes the runtime's caches of compiled code read-only for this process, for good.
 *
 * The runtime keeps them open for writing. Native code of an attacker's could put its own code there,
 * which the next start would run before it has sealed itself. Their handles are replaced by handles
 * for reading, and their shared memory by private copies. A compiled program has none of them.
 *
 * @throws {Error} When a cache can't be replaced.
 */
export function makeRuntimeCachesReadOnly(): void {
  const descriptors = cacheDescriptors();
  if (descriptors.size === 0) return;
  const library = openLibrary(SYMBOLS);
  using _ = library;
  const { open, dup3, close, mmap } = library.symbols;
  for (const [path, numbers] of descriptors) {
    for (const number of numbers) {
      const name = new TextEncoder().encode(`/proc/self/fd/${number}\0`);
      const reading = open(name, O_RDONLY | O_CLOEXEC, NO_STUB_VALUE);
      if (reading < 0 || dup3(reading, number, O_CLOEXEC, NO_STUB_VALUE) < 0) {
        throw cannotReplace(path);
      }
      close(reading, NO_STUB_VALUE);
    }
  }
  for (const { start, bytes, isWritable, offset, path } of cacheMappings()) {
    const [descriptor] = descriptors.get(path) ?? [];
    if (descriptor === undefined) throw cannotReplace(path);
    const protection = PROT_READ | (isWritable ? PROT_WRITE : 0);
    const flags = MAP_PRIVATE | MAP_FIXED;
    const address = mmap(start, bytes, protection, flags, descriptor, offset, NO_STUB_VALUE);
    if (BigInt(address) !== start) throw cannotReplace(path);
  }
}

function cannotReplace(path: string): Error {
  return new Error(`Cannot make ${path} read-only for this process`);
}

/** Handles of each cache. */
function cacheDescriptors(): Map<string, number[]> {
  const folder = "/proc/self/fd";
  const found = new Map<string, number[]>();
  for (const { name } of Array.from(Deno.readDirSync(folder))) {
    try {
      const path = Deno.readLinkSync(`${folder}/${name}`);
      if (CACHE_NAME.test(path)) found.set(path, [...found.get(path) ?? [], Number(name)]);
    } catch {
      // It was the handle by which the folder was read.
    }
  }
  return found;
}

/** Memory of this process that is shared with a cache. */
function cacheMappings() {
  const lines = Deno.readTextFileSync("/proc/self/maps").split("\n");
  return lines.filter((line) => CACHE_NAME.test(line)).flatMap((line) => {
    const found = /^(\w+)-(\w+) (.{3})s (\w+) \S+ \d+ +(.*)$/.exec(line);
    if (found === null) return [];
    const [, from = "", to = "", rights = "", at = "", path = ""] = found;
    const [start, end, offset] = [from, to, at].map((it) => BigInt(`0x${it}`));
    if (start === undefined || end === undefined || offset === undefined) return [];
    return [{ path, start, bytes: end - start, offset, isWritable: rights[1] === "w" }];
  });
}
