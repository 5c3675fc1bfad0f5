import type { Source } from "../host/host.ts";
import type { DarwinHost } from "../host/host_darwin.ts";
import { parseVmStat } from "../parse/vm_stat.ts";
import type { MemoryMode, Usage } from "../types.ts";

/** Measures memory and swap of a Mac, from `Deno.systemMemoryInfo()` and `vm_stat`. */
export class DarwinMemoryCollector {
  readonly #host: Pick<DarwinHost, "memory">;
  readonly #vmStat: Source;
  readonly #mode: MemoryMode;

  constructor(
    host: Pick<DarwinHost, "memory">,
    vmStat: Source,
    mode: MemoryMode,
  ) {
    this.#host = host;
    this.#vmStat = vmStat;
    this.#mode = mode;
  }

  /**
   * Bytes. Used memory in mode `htop` is Activity Monitor's Memory Used: app memory, wired and
   * compressed.
   *
   * @throws {Error} When `vm_stat` failed or its output is malformed.
   */
  collect(): { memory?: Usage; swap?: Usage } {
    const { total, free, available, swapTotal, swapFree } = this.#host.memory();
    const swap = usage(swapTotal, swapTotal - swapFree);
    const used = this.#mode === "available"
      ? total - available
      : this.#mode === "all"
      ? total - free
      : this.#activityMonitorUsedBytes();
    return used === undefined || total <= 0 ? { swap } : { memory: usage(total, used), swap };
  }

  #activityMonitorUsedBytes(): number | undefined {
    const text = this.#vmStat.read();
    if (text === undefined) return undefined;
    const { anonymousBytes, purgeableBytes, wiredBytes, compressorBytes } = parseVmStat(text);
    return anonymousBytes - purgeableBytes + wiredBytes + compressorBytes;
  }
}

function usage(totalBytes: number, usedBytes: number): Usage {
  return { totalBytes, usedBytes: Math.min(Math.max(usedBytes, 0), totalBytes) };
}
