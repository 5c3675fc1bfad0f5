import type { FileSystemUse, Host, InterfaceAddress, Roots, Source } from "./host.ts";
import { Libc } from "./libc.ts";

/** A longer kernel text is an error: no file that is read here is as long. */
const MAX_BYTES = 8 * 1024 * 1024;

/**
 * The kernel fills a page with whole lines and returns it. Where no line is longer than half a page, a
 * piece that is shorter than that is the last: reading on would cost as much as the piece itself.
 */
const LAST_PIECE_BYTES = 2048;

/** The buffer that all sources of a host share; it grows to the size of the longest file. */
export interface Scratch {
  bytes: Uint8Array<ArrayBuffer>;
  readonly decoder: TextDecoder;
}

/** A handle that is rewound and read again: cheaper than opening anew, and it works after the seal. */
export class FileSource implements Source {
  readonly #path: string;
  readonly #scratch: Scratch;
  readonly #file: Deno.FsFile | undefined;
  readonly #openError: unknown;
  readonly #lastPieceBytes: number;

  constructor(
    path: string,
    { scratch, hasLongLines = false }: { scratch: Scratch; hasLongLines?: boolean | undefined },
  ) {
    this.#path = path;
    this.#scratch = scratch;
    this.#lastPieceBytes = hasLongLines ? 1 : LAST_PIECE_BYTES;
    try {
      this.#file = Deno.openSync(path);
    } catch (error) {
      this.#openError = error;
    }
  }

  read(): string | undefined {
    const length = this.#fill();
    if (length === undefined) return undefined;
    return this.#scratch.decoder.decode(this.#scratch.bytes.subarray(0, length));
  }

  readFirstLine(): string | undefined {
    const file = this.#opened();
    if (file === undefined) return undefined;
    const { bytes, decoder } = this.#scratch;
    try {
      file.seekSync(0, Deno.SeekMode.Start);
      const length = file.readSync(bytes) ?? 0;
      const end = bytes.subarray(0, length).indexOf(0x0a);
      return decoder.decode(bytes.subarray(0, end === -1 ? length : end));
    } catch (error) {
      throw this.#readError(error);
    }
  }

  #fill(): number | undefined {
    const file = this.#opened();
    if (file === undefined) return undefined;
    let length = 0;
    try {
      file.seekSync(0, Deno.SeekMode.Start);
      while (true) {
        const size = this.#scratch.bytes.length;
        // The buffer must not make a piece shorter than a last one.
        const isFull = size - length < (size < MAX_BYTES ? LAST_PIECE_BYTES : 1);
        if (isFull) this.#grow();
        const { bytes } = this.#scratch;
        const count = file.readSync(length === 0 ? bytes : bytes.subarray(length));
        length += count ?? 0;
        if (count === null || count < this.#lastPieceBytes) return length;
      }
    } catch (error) {
      throw this.#readError(error);
    }
  }

  #opened(): Deno.FsFile | undefined {
    if (this.#openError !== undefined && !(this.#openError instanceof Deno.errors.NotFound)) {
      throw this.#readError(this.#openError);
    }
    return this.#file;
  }

  #grow(): void {
    const { bytes } = this.#scratch;
    if (bytes.length * 2 > MAX_BYTES) throw new RangeError(`more than ${MAX_BYTES} bytes`);
    const larger = new Uint8Array(bytes.length * 2);
    larger.set(bytes);
    this.#scratch.bytes = larger;
  }

  #readError(cause: unknown): Error {
    return new Error(`Cannot read ${this.#path}`, { cause });
  }
}

/** The machine that this program runs on. */
export class LocalHost implements Host {
  readonly roots: Roots;
  readonly #scratch: Scratch = { bytes: new Uint8Array(32 * 1024), decoder: new TextDecoder() };
  readonly #libc = new Libc();

  constructor(roots: Roots = { proc: "/proc", sys: "/sys", root: "/" }) {
    this.roots = roots;
  }

  open(path: string, options: { hasLongLines?: boolean } = {}): Source {
    return new FileSource(path, { ...options, scratch: this.#scratch });
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
}

function optional<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

/**
 * Reads the id of this boot from `/proc/sys/kernel/random/boot_id`, before the process is sealed; empty
 * where there is none.
 */
export function readBootId(proc: string): string {
  try {
    const text = Deno.readTextFileSync(`${proc}/sys/kernel/random/boot_id`).trim();
    return /^[0-9a-f-]{1,64}$/.test(text) ? text : "";
  } catch {
    return "";
  }
}

/** The machine's host name; empty if unknown. */
export function hostName(): string {
  try {
    return Deno.hostname();
  } catch {
    return "";
  }
}
