import { lineAt } from "./scan.ts";

/** The cache of ZFS, in bytes. */
export interface Arcstats {
  sizeBytes: number;
  /** It does not shrink below this. */
  minimumBytes: number;
}

/**
 * Reads `/proc/spl/kstat/zfs/arcstats`, lines of name, type and value.
 *
 * @throws {SyntaxError} When size or least size is missing or no number; the message quotes the line.
 */
export function parseArcstats(text: string): Arcstats {
  return { sizeBytes: parseField(text, "size"), minimumBytes: parseField(text, "c_min") };
}

function parseField(text: string, name: string): number {
  const at = text.indexOf(`\n${name} `) + 1;
  const line = lineAt(text, at);
  const bytes = at === 0 ? NaN : Number(/^\w+ +\d+ +(\d+)\s*$/.exec(line)?.[1]);
  if (!Number.isSafeInteger(bytes)) {
    throw new SyntaxError(`Cannot parse arcstats: no "${name}" in "${line}"`);
  }
  return bytes;
}
