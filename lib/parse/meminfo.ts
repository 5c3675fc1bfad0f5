import { decimalAt, findLine, firstLine } from "./bounded_text.ts";

/** Fields of `/proc/meminfo`, in bytes; `undefined` where an old kernel has no such field. */
export interface Meminfo {
  totalBytes: number;
  freeBytes: number;
  /** Memory that new programs can get without swapping; since Linux 3.14. */
  availableBytes: number | undefined;
  buffersBytes: number | undefined;
  /** The page cache, shared memory included. */
  cachedBytes: number | undefined;
  /** Shared memory and tmpfs. */
  sharedBytes: number | undefined;
  /** Kernel objects that are freed under memory pressure. */
  reclaimableBytes: number | undefined;
  swapTotalBytes: number | undefined;
  swapFreeBytes: number | undefined;
  /** Pages that are in memory and also, unchanged, in swap. */
  swapCachedBytes: number | undefined;
}

/**
 * Parses `/proc/meminfo`, which counts in KiB.
 *
 * @throws {SyntaxError} When a field is not a number of kB, or `MemTotal` or `MemFree` is missing;
 * the message quotes the line.
 */
export function parseMeminfo(text: string): Meminfo {
  return {
    totalBytes: requiredField(text, "MemTotal:"),
    freeBytes: requiredField(text, "MemFree:"),
    availableBytes: optionalField(text, "MemAvailable:"),
    buffersBytes: optionalField(text, "Buffers:"),
    cachedBytes: optionalField(text, "Cached:"),
    sharedBytes: optionalField(text, "Shmem:"),
    reclaimableBytes: optionalField(text, "SReclaimable:"),
    swapTotalBytes: optionalField(text, "SwapTotal:"),
    swapFreeBytes: optionalField(text, "SwapFree:"),
    swapCachedBytes: optionalField(text, "SwapCached:"),
  };
}

function requiredField(text: string, key: string): number {
  const value = optionalField(text, key);
  if (value === undefined) {
    throw new SyntaxError(`Cannot parse meminfo: no "${key}" after "${firstLine(text)}"`);
  }
  return value;
}

function optionalField(text: string, key: string): number | undefined {
  let at = text.indexOf(key);
  // "Cached:" is also the end of "SwapCached:".
  while (at > 0 && text[at - 1] !== "\n") at = text.indexOf(key, at + 1);
  if (at === -1) return undefined;
  const bytes = (decimalAt(text, at + key.length) ?? NaN) * 1024;
  const end = text.indexOf("\n", at);
  if (!Number.isSafeInteger(bytes) || !text.startsWith(" kB", (end < 0 ? text.length : end) - 3)) {
    const line = firstLine(text.slice(at));
    throw new SyntaxError(`Cannot parse meminfo: no number of kB in "${line}"`);
  }
  return bytes;
}

/** Size of the ZFS cache (ARC), in bytes. */
export interface Arcstats {
  sizeBytes: number;
  /** The kernel never shrinks the cache below this. */
  minimumBytes: number;
}

/**
 * Parses `/proc/spl/kstat/zfs/arcstats`: a name, type and value per line.
 *
 * @throws {SyntaxError} When `size` or `c_min` is missing or not a number; the message quotes the line.
 */
export function parseArcstats(text: string): Arcstats {
  return { sizeBytes: parseField(text, "size"), minimumBytes: parseField(text, "c_min") };
}

function parseField(text: string, name: string): number {
  const line = findLine(text, `${name} `) ?? "";
  const bytes = Number(/^\w+ +\d+ +(\d+)\s*$/.exec(line)?.[1]);
  if (!Number.isSafeInteger(bytes)) {
    throw new SyntaxError(`Cannot parse arcstats: no "${name}" in "${firstLine(line)}"`);
  }
  return bytes;
}
