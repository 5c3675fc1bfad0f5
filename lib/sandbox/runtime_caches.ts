import { NO_STUB, NO_STUB_VALUE, openLibrary } from "../host/ffi.ts";

/** Names of the runtime's caches, of their SQLite journals, and of the indexes of these. */
const CACHE_NAME = /_cache_v\d+(-(wal|journal|shm))?( \(deleted\))?$/;
/** An index has the locks, for which every other Deno of the same cache folder would wait. */
const INDEX_NAME = /-shm( \(deleted\))?$/;

const SYMBOLS = {
  open: { parameters: ["buffer", "i32", NO_STUB], result: "i32" },
  dup3: { parameters: ["i32", "i32", "i32", NO_STUB], result: "i32" },
  memfd_create: { parameters: ["buffer", "u32", NO_STUB], result: "i32" },
  close: { parameters: ["i32", NO_STUB], result: "i32" },
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64", NO_STUB], result: "isize" },
} as const;

const O_RDONLY = 0;
const O_CLOEXEC = 0o2000000;
const MFD_CLOEXEC = 1;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_FIXED = 0x10;

/**
 * Makes the runtime's caches of compiled code read-only for this process, for good.
 *
 * The runtime keeps them open for writing. Native code of an attacker's could put its own code there,
 * which the next start would run before it has sealed itself. Their handles are replaced by handles
 * for reading, and their shared memory by private copies; the index of a journal by a copy in memory, so
 * that no lock is left on it. A compiled program has none of them.
 *
 * @throws {Error} When a cache can't be replaced.
 */
export function makeRuntimeCachesReadOnly(): void {
  const descriptors = cacheDescriptors();
  if (descriptors.size === 0) return;
  const library = openLibrary(SYMBOLS);
  using _ = library;
  const { open, dup3, close, memfd_create, mmap } = library.symbols;
  const encoder = new TextEncoder();
  const openAgain = (number: number) =>
    open(encoder.encode(`/proc/self/fd/${number}\0`), O_RDONLY | O_CLOEXEC, NO_STUB_VALUE);
  const copyInMemory = (number: number) => {
    const content = Deno.readFileSync(`/proc/self/fd/${number}`);
    const copy = memfd_create(encoder.encode("index\0"), MFD_CLOEXEC, NO_STUB_VALUE);
    if (copy >= 0) Deno.writeFileSync(`/proc/self/fd/${copy}`, content);
    return copy;
  };
  for (const [path, numbers] of descriptors) {
    for (const number of numbers) {
      const reading = INDEX_NAME.test(path) ? copyInMemory(number) : openAgain(number);
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
    const flags = MAP_FIXED | (INDEX_NAME.test(path) ? MAP_SHARED : MAP_PRIVATE);
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
