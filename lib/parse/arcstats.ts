import { findLine, firstLine } from "./lines.ts";

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
