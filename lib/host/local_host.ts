import { attempt } from "../attempt.ts";
import { decodePaths } from "../parse/path.ts";
import type {
  FileSystemUse,
  Host,
  InterfaceAddress,
  Links,
  OpenOptions,
  Roots,
  RouteScope,
  Source,
} from "./host.ts";
import {
  askRuntimeForAddresses,
  listInterfaceAddresses,
  routeScope,
} from "./interface_addresses.ts";
import { openInterfaceLinks } from "./interface_links.ts";
import { Libc } from "./libc.ts";
import { Netlink } from "./netlink.ts";

/** A longer kernel text is an error: no file that is read here is as long. */
const MAX_BYTES = 4 * 1024 * 1024;
/** A larger buffer is not kept for the next read: few machines have so long a file, read now and then. */
const MAX_KEPT_BYTES = 512 * 1024;

/**
 * The kernel gives a page of whole lines at a time. Where no line is longer than half a page, a piece
 * that is shorter than half a page is the last, and the read that would find the end is saved.
 */
const HALF_PAGE_BYTES = 2048;

/** The buffer that all sources of a host share; it grows to the size of the longest file, up to a limit. */
export interface Scratch {
  bytes: Uint8Array<ArrayBuffer>;
  readonly decoder: TextDecoder;
}

/** A handle that is rewound and read again: cheaper than opening anew, and it works after the seal. */
export class FileSource implements Source {
  readonly #path: string;
  readonly #scratch: Scratch;
  readonly #isRequired: boolean;
  readonly #hasPaths: boolean;
  readonly #file: Deno.FsFile | undefined;
  readonly #openError: unknown;
  /** A piece of fewer bytes is the last. */
  readonly #leastPieceBytes: number;
  /** Filled in place of the shared buffer when only the start is read. */
  readonly #start: Uint8Array<ArrayBuffer> | undefined;

  constructor(path: string, scratch: Scratch, options: OpenOptions = {}) {
    const { isRequired = false, hasLongLines = false, hasPaths = false, startBytes } = options;
    this.#path = path;
    this.#isRequired = isRequired;
    this.#hasPaths = hasPaths;
    this.#scratch = scratch;
    this.#leastPieceBytes = hasLongLines ? 1 : HALF_PAGE_BYTES;
    if (startBytes !== undefined) this.#start = new Uint8Array(startBytes);
    try {
      this.#file = Deno.openSync(path);
    } catch (error) {
      this.#openError = error;
    }
  }

  read(): string | undefined {
    const file = this.#file;
    if (file === undefined) return this.#readMissing();
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      file.seekSync(0, Deno.SeekMode.Start);
      bytes = this.#start === undefined ? this.#readAll(file) : readInto(this.#start, file);
    } catch (cause) {
      throw new Error(`Cannot read ${this.#path}`, { cause });
    }
    return this.#hasPaths ? decodePaths(bytes) : this.#scratch.decoder.decode(bytes);
  }

  #readAll(file: Deno.FsFile): Uint8Array<ArrayBuffer> {
    if (this.#scratch.bytes.length > MAX_KEPT_BYTES) {
      this.#scratch.bytes = new Uint8Array(MAX_KEPT_BYTES);
    }
    for (let length = 0;;) {
      if (!hasRoom(this.#scratch, length)) this.#scratch.bytes = doubled(this.#scratch.bytes);
      const { bytes } = this.#scratch;
      const piece = readInto(bytes.subarray(length), file);
      length += piece.length;
      if (piece.length < this.#leastPieceBytes) return bytes.subarray(0, length);
    }
  }

  #readMissing(): undefined {
    if (!(this.#openError instanceof Deno.errors.NotFound)) {
      throw new Error(`Cannot read ${this.#path}`, { cause: this.#openError });
    }
    if (this.#isRequired) throw new Error(`Cannot read ${this.#path}: no such file`);
  }
}

/** Reads a piece; the part of the buffer that it fills. */
function readInto(buffer: Uint8Array<ArrayBuffer>, file: Deno.FsFile): Uint8Array<ArrayBuffer> {
  return buffer.subarray(0, file.readSync(buffer) ?? 0);
}

/** Whether a piece behind `length` bytes is as long as the kernel makes it, up to the limit. */
function hasRoom({ bytes }: Scratch, length: number): boolean {
  return bytes.length - length >= (bytes.length < MAX_BYTES ? HALF_PAGE_BYTES : 1);
}

/** @throws {RangeError} When that is beyond the limit. */
function doubled(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length * 2 > MAX_BYTES) throw new RangeError(`more than ${MAX_BYTES} bytes`);
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}

/** Where the kernel's file systems are on this machine. */
export const OWN_ROOTS: Roots = { proc: "/proc", sys: "/sys", root: "/" };

/** Whether a path exists, for this user. */
export function isThere(path: string): boolean {
  return attempt(() => Deno.statSync(path)) !== undefined;
}

/** Whether the path is an executable file. */
export function isProgram(path: string): boolean {
  const { isFile = false, mode } = attempt(() => Deno.statSync(path)) ?? {};
  return isFile && ((mode ?? 0) & 0o111) !== 0;
}

/** The machine that this program runs on. */
export class LocalHost implements Host {
  readonly arch = Deno.build.arch;
  readonly roots: Roots;
  readonly #scratch: Scratch = { bytes: new Uint8Array(32 * 1024), decoder: new TextDecoder() };
  readonly #libc = new Libc();
  readonly #netlink = attempt(() => new Netlink());

  constructor(roots: Roots = OWN_ROOTS) {
    this.roots = roots;
  }

  open(path: string, options?: OpenOptions): Source {
    return new FileSource(path, this.#scratch, options);
  }

  readText(path: string): string | undefined {
    return attempt(() => Deno.readTextFileSync(path));
  }

  list(path: string): string[] | undefined {
    return attempt(() => Array.from(Deno.readDirSync(path), (entry) => entry.name));
  }

  listFolders(path: string): string[] | undefined {
    return attempt(() =>
      Array.from(Deno.readDirSync(path)).filter((it) => it.isDirectory).map(({ name }) => name)
    );
  }

  readLink(path: string): string | undefined {
    return attempt(() => Deno.readLinkSync(path));
  }

  exists(path: string): boolean {
    return isThere(path);
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
    return (this.#netlink && listInterfaceAddresses(this.#netlink)) ?? askRuntimeForAddresses();
  }

  routeScope(address: string): RouteScope | undefined {
    return this.#netlink && routeScope(this.#netlink, address);
  }

  openLinks(netDev: string): Links | undefined {
    return this.#netlink && openInterfaceLinks(netDev, this.#netlink);
  }
}

/** The machine's host name; empty if unknown. */
export function hostName(): string {
  return attempt(() => Deno.hostname()) ?? "";
}
