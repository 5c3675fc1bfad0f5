import type { MemoryMode } from "../types.ts";

/** What decides how memory is counted. */
export interface MemoryCounting {
  readonly mode: MemoryMode;
  /** Whether the numbers are those of a container's control group. */
  readonly limited: boolean;
  /** Whether another mode was wanted, which the kernel can't serve. */
  readonly fallback: boolean;
}

const OF_MACHINE: Readonly<Record<MemoryMode, string>> = {
  htop: "total - free - buffers - cached - reclaimable + shared",
  available: "total - available",
  all: "total - free",
};

const OF_GROUP: Readonly<Record<MemoryMode, string>> = {
  htop: "all in use - files not used of late",
  available: "all in use - files - reclaimable",
  all: "all in use",
};

/** How used memory is counted, in plain words: `mode all: total - free`. */
export function memoryRule({ mode, limited, fallback }: MemoryCounting): string {
  const why = fallback ? ", since this kernel does not tell what is available" : "";
  return `mode ${mode}${why}: ${(limited ? OF_GROUP : OF_MACHINE)[mode]}`;
}
