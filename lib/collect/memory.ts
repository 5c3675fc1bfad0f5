import type { Source } from "../host/host.ts";
import { type MemoryCounters, parseMeminfo } from "../parse/meminfo.ts";
import type { MemoryMode, Usage } from "../types.ts";

/** Memory and swap in use, from `/proc/meminfo`. */
export class Memory {
  readonly #meminfo: Source;
  readonly #mode: MemoryMode;
  #effectiveMode: MemoryMode;

  constructor(meminfo: Source, mode: MemoryMode = "htop") {
    this.#meminfo = meminfo;
    this.#mode = mode;
    this.#effectiveMode = mode;
  }

  /** The mode that the last call counted by: kernels before 3.14 don't know what is available. */
  get effectiveMode(): MemoryMode {
    return this.#effectiveMode;
  }

  /**
   * Bytes; swap is absent where the kernel does not speak of it.
   *
   * @throws {SyntaxError} When the kernel's text can't be read.
   */
  collect(): { memory: Usage; swap?: Usage } | undefined {
    const text = this.#meminfo.read();
    if (text === undefined) return undefined;
    const counters = parseMeminfo(text);
    const { totalBytes, availableBytes } = counters;
    this.#effectiveMode = this.#mode === "available" && availableBytes === undefined
      ? "htop"
      : this.#mode;
    const memory = usage(totalBytes, totalBytes - unusedBytes(counters, this.#effectiveMode));
    const swap = swapUsage(counters);
    return swap === undefined ? { memory } : { memory, swap };
  }
}

function unusedBytes(counters: MemoryCounters, mode: MemoryMode): number {
  switch (mode) {
    case "all":
      return counters.freeBytes;
    case "available":
      return counters.availableBytes ?? counters.freeBytes;
    case "htop":
      return counters.freeBytes + (counters.buffersBytes ?? 0) + (counters.cachedBytes ?? 0) +
        (counters.reclaimableBytes ?? 0) - (counters.sharedBytes ?? 0);
  }
}

function swapUsage(counters: MemoryCounters): Usage | undefined {
  const { swapTotalBytes, swapFreeBytes, swapCachedBytes } = counters;
  if (swapTotalBytes === undefined || swapFreeBytes === undefined) return undefined;
  return usage(swapTotalBytes, swapTotalBytes - swapFreeBytes - (swapCachedBytes ?? 0));
}

/** A container's view mixes numbers of container and host, so a difference may leave the range. */
function usage(totalBytes: number, usedBytes: number): Usage {
  return { totalBytes, usedBytes: Math.min(Math.max(usedBytes, 0), totalBytes) };
}
