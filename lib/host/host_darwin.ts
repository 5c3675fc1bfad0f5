import { askRuntimeForAddresses } from "./interface_addresses.ts";
import type { FileSystemUse, InterfaceAddress } from "./host.ts";

/** Times of one core since boot, all in the same unit. */
export interface CoreTimes {
  user: number;
  nice: number;
  sys: number;
  idle: number;
  irq: number;
}

/** Memory and swap, in bytes. */
export interface DarwinMemoryInfo {
  total: number;
  /** Not in use, not even as a cache. */
  free: number;
  /** Free, or reclaimable without writing anything out. */
  available: number;
  swapTotal: number;
  swapFree: number;
}

/** Measurements of a Mac that need no command. */
export interface DarwinHost {
  /** Architecture in the runtime's words: `x86_64`, `aarch64`. */
  readonly arch: string;
  cores(): readonly CoreTimes[];
  memory(): DarwinMemoryInfo;
  /** Load averages over 1, 5 and 15 minutes. */
  load(): readonly number[];
  /** Seconds since boot. */
  uptime(): number;
  /** @throws {Error} When that fails, such as for a path that is gone. */
  statfs(path: string): FileSystemUse;
  /** The same without blocking, for file systems that may hang. */
  statfsAsync(path: string): Promise<FileSystemUse>;
  interfaceAddresses(): InterfaceAddress[];
}

/** Opens this Mac. Modules of `node:` are loaded here, since other systems need none of them. */
export async function openDarwinHost(): Promise<DarwinHost> {
  const [os, { statfs, statfsSync }] = await Promise.all([import("node:os"), import("node:fs")]);
  return {
    arch: Deno.build.arch,
    cores: () => os.cpus().map(({ times }) => times),
    memory: () => Deno.systemMemoryInfo(),
    load: () => os.loadavg(),
    uptime: () => os.uptime(),
    statfs: (path) => toUse(statfsSync(path)),
    statfsAsync: (path) =>
      new Promise((resolve, reject) =>
        statfs(path, (error, answer) => error ? reject(error) : resolve(toUse(answer)))
      ),
    interfaceAddresses: askRuntimeForAddresses,
  };
}

/** A volume reports as free what other volumes of its container use; what is available is right. */
function toUse(
  { bsize, blocks, bavail }: Record<"bsize" | "blocks" | "bavail", number>,
): FileSystemUse {
  return { blockSizeBytes: bsize, blocks, freeBlocks: bavail };
}
