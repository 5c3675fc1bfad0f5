import { firstLine } from "./bounded_text.ts";

/** Memory of a Mac by use, in bytes. */
export interface VmStat {
  /** Kernel memory that can't be paged out or compressed. */
  wiredBytes: number;
  /** Memory of programs without a backing file. */
  anonymousBytes: number;
  /** Part of the anonymous memory that the kernel may discard. */
  purgeableBytes: number;
  /** Memory occupied by compressed pages. */
  compressorBytes: number;
}

/**
 * Parses the output of macOS's `vm_stat`: pages by kind, and the page size in the first line.
 *
 * @throws {SyntaxError} When a line is missing or has no count; the message names it.
 */
export function parseVmStat(text: string): VmStat {
  const pageBytes = Number(/\(page size of (\d{1,8}) bytes\)/.exec(text)?.[1]);
  if (!Number.isSafeInteger(pageBytes) || pageBytes === 0) {
    throw new SyntaxError(`Cannot parse vm_stat: no page size in "${firstLine(text)}"`);
  }
  const pages = new Map<string, number>();
  for (const [, kind = "", count] of text.matchAll(/^([\w -]+):\s+(\d{1,15})\.?$/gm)) {
    pages.set(kind, Number(count));
  }
  const bytes = (kind: string): number => {
    const count = pages.get(kind);
    if (count === undefined || !Number.isSafeInteger(count * pageBytes)) {
      throw new SyntaxError(`Cannot parse vm_stat: no count of "${kind}"`);
    }
    return count * pageBytes;
  };
  return {
    wiredBytes: bytes("Pages wired down"),
    anonymousBytes: bytes("Anonymous pages"),
    purgeableBytes: bytes("Pages purgeable"),
    compressorBytes: bytes("Pages occupied by compressor"),
  };
}
