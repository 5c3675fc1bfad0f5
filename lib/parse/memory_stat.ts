import { decimalAt } from "./decimal_at.ts";
import { lineAt } from "./line_at.ts";

/** What a control group's memory is made of, as far as it can be given back, in bytes. */
export interface MemoryStat {
  /** File pages that were not used of late. */
  inactiveFileBytes: number;
  activeFileBytes: number;
  /** Kernel objects that go when memory gets short; version 1 does not tell. */
  reclaimableBytes: number | undefined;
  /** What lies in swap; only version 1 tells, and only where swap is counted. */
  swapBytes: number | undefined;
}

/**
 * Reads a control group's `memory.stat`, with all groups within it; version 1 calls those sums
 * `total_…`.
 *
 * @throws {SyntaxError} When a counter of file pages is missing or a counter is no number; the
 * message quotes the line.
 */
export function parseMemoryStat(text: string, version: 1 | 2): MemoryStat {
  const prefix = version === 1 ? "total_" : "";
  return {
    inactiveFileBytes: required(text, `${prefix}inactive_file`),
    activeFileBytes: required(text, `${prefix}active_file`),
    reclaimableBytes: optional(text, "slab_reclaimable"),
    swapBytes: optional(text, "total_swap"),
  };
}

function required(text: string, key: string): number {
  const value = optional(text, key);
  if (value === undefined) {
    throw new SyntaxError(`Cannot parse memory.stat: no "${key}" after "${lineAt(text, 0)}"`);
  }
  return value;
}

function optional(text: string, key: string): number | undefined {
  const sign = `\n${key} `;
  const at = text.startsWith(sign.slice(1)) ? 0 : text.indexOf(sign) + 1;
  if (at === 0 && !text.startsWith(sign.slice(1))) return undefined;
  const bytes = decimalAt(text, at + key.length + 1);
  if (bytes === undefined) {
    throw new SyntaxError(`Cannot parse memory.stat: no bytes in "${lineAt(text, at)}"`);
  }
  return bytes;
}
