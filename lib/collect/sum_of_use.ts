import type { FileSystemUse } from "../host/host.ts";
import type { Usage } from "../types.ts";

/** A file system's answer, and the pool that it shares its free space with others of. */
export interface PooledUse {
  use: FileSystemUse;
  pool?: string | undefined;
}

/**
 * Adds up what file systems have and what of it is used, in bytes; `undefined` when there is none.
 *
 * Each data set of a pool claims all of the pool's free space for its own: there the used parts are
 * added, and the largest free part once. Snapshots and volumes of a pool are not in its data sets' answers.
 */
export function sumOfUse(answers: readonly PooledUse[]): Usage | undefined {
  if (answers.length === 0) return undefined;
  const sum: Usage = { totalBytes: 0, usedBytes: 0 };
  const freeOfPools = new Map<string, number>();
  for (const { use, pool } of answers) {
    const totalBytes = use.blocks * use.blockSizeBytes;
    const freeBytes = Math.min(use.freeBlocks * use.blockSizeBytes, totalBytes);
    sum.usedBytes += totalBytes - freeBytes;
    if (pool === undefined) sum.totalBytes += totalBytes;
    else {
      sum.totalBytes += totalBytes - freeBytes;
      freeOfPools.set(pool, Math.max(freeOfPools.get(pool) ?? 0, freeBytes));
    }
  }
  for (const freeBytes of freeOfPools.values()) sum.totalBytes += freeBytes;
  return sum;
}

/**
 * Whether two answers are most likely of the same file system: the same size, and as good as the
 * same free space, since something may be written between the two.
 */
export function isSameSpace(one: FileSystemUse, other: FileSystemUse): boolean {
  return one.blockSizeBytes === other.blockSizeBytes && one.blocks === other.blocks &&
    Math.abs(one.freeBlocks - other.freeBlocks) <= one.blocks / 1_000;
}
