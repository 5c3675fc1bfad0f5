import { FileSource, type Scratch } from "./file_source.ts";
import type { FileSystemUse, Host, InterfaceAddress, Roots, Source } from "./host.ts";
import { Libc } from "./libc.ts";

/** The machine that the program runs on. */
export class LocalHost implements Host {
  readonly roots: Roots;
  readonly #scratch: Scratch = { bytes: new Uint8Array(32 * 1024), decoder: new TextDecoder() };
  readonly #libc = new Libc();

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

  openLinkCount(path: string): (() => number) | undefined {
    return this.#libc.openLinkCount(path);
  }

  statfs(path: string): FileSystemUse {
    return this.#libc.statfs(path);
  }

  statfsAsync(path: string): Promise<FileSystemUse> {
    return this.#libc.statfsAsync(path);
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
