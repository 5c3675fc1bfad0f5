import type { FileSystemUse, InterfaceAddress } from "./host.ts";

/** Time that one core has spent so far, in units that are all alike. */
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
  /** Not even used as a cache. */
  free: number;
  /** Free, or to be had without writing anything out first. */
  available: number;
  swapTotal: number;
  swapFree: number;
}

/** What a Mac tells without a command. */
export interface DarwinHost {
  cores(): readonly CoreTimes[];
  memory(): DarwinMemoryInfo;
  /** Load averages over 1, 5 and 15 minutes. */
  load(): readonly number[];
  /** Seconds since boot. */
  uptime(): number;
  /** @throws {Error} When the path is gone or can't be asked. */
  statfs(path: string): FileSystemUse;
  /** The same without blocking the process, for file systems that may hang. */
  statfsAsync(path: string): Promise<FileSystemUse>;
  interfaceAddresses(): InterfaceAddress[];
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
}

/** This Mac. What it takes of `node:` is loaded here, since other systems need none of it. */
export async function openDarwinHost(): Promise<DarwinHost> {
  const [os, { statfs, statfsSync }] = await Promise.all([import("node:os"), import("node:fs")]);
  return {
    cores: () => os.cpus().map(({ times }) => times),
    memory: () => Deno.systemMemoryInfo(),
    load: () => os.loadavg(),
    uptime: () => os.uptime(),
    statfs: (path) => toUse(statfsSync(path)),
    statfsAsync: (path) =>
      new Promise((resolve, reject) =>
        statfs(path, (error, answer) => error ? reject(error) : resolve(toUse(answer)))
      ),
    interfaceAddresses: () =>
      Deno.networkInterfaces().map(({ name, family, address }) => ({ name, family, address })),
    monotonicMs: () => performance.now(),
  };
}

function toUse(
  { bsize, blocks, bfree, bavail }: Record<"bsize" | "blocks" | "bfree" | "bavail", number>,
): FileSystemUse {
  return {
    blockSizeBytes: bsize,
    blocks,
    freeBlocks: bfree,
    availableBlocks: bavail,
  };
}
