import { fstatSync, openSync, statfsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { FileSource, type Scratch } from "./file_source.ts";
import type { FileSystemUse, Host, InterfaceAddress, Roots, Source } from "./host.ts";

/** The machine that the program runs on. */
export class LocalHost implements Host {
  readonly roots: Roots;
  readonly #scratch: Scratch = { bytes: new Uint8Array(32 * 1024), decoder: new TextDecoder() };

  constructor(roots: Roots = { proc: "/proc", sys: "/sys", root: "/" }) {
    this.roots = roots;
  }

  open(path: string): Source {
    return new FileSource(path, this.#scratch);
  }

  readText(path: string): string | undefined {
    return optional(() => Deno.readTextFileSync(path));
  }

  list(path: string): string[] | undefined {
    return optional(() => Array.from(Deno.readDirSync(path), (entry) => entry.name));
  }

  readLink(path: string): string | undefined {
    return optional(() => Deno.readLinkSync(path));
  }

  exists(path: string): boolean {
    return optional(() => Deno.statSync(path)) !== undefined;
  }

  openLinkCount(path: string): () => number {
    // A handle of Deno's own refuses `statSync` once the process is sealed; one of node:fs does not.
    const handle = openSync(path, "r");
    return () => fstatSync(handle).nlink;
  }

  statfs(path: string): FileSystemUse {
    return toUse(statfsSync(path));
  }

  async statfsAsync(path: string): Promise<FileSystemUse> {
    return toUse(await statfs(path));
  }

  interfaceAddresses(): InterfaceAddress[] {
    return Deno.networkInterfaces().map(({ name, family, address }) => ({ name, family, address }));
  }

  monotonicMs(): number {
    return performance.now();
  }
}

function optional<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

function toUse(
  answer: { bsize: number; blocks: number; bfree: number; bavail: number },
): FileSystemUse {
  return {
    blockSizeBytes: answer.bsize,
    blocks: answer.blocks,
    freeBlocks: answer.bfree,
    availableBlocks: answer.bavail,
  };
}
