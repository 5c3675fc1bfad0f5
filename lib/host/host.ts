/**
 * The only door to the machine: files, file systems, interfaces, clocks.
 *
 * Whoever lies below asks for a `Pick` of it, so a test needs only what is used.
 *
 * @module
 */

/** A file that is opened once and read again and again; it keeps working after the process is sealed. */
export interface Source {
  /**
   * The file's present text; `undefined` when there is no such file.
   *
   * @throws {Error} When the kernel refuses to give the text (`Cannot read …`).
   */
  read(): string | undefined;
  /** The first line alone, without its line feed, for files whose rest is long and of no use. */
  readFirstLine(): string | undefined;
}

/** Where a mount's space is asked for. */
export interface FileSystemUse {
  blockSizeBytes: number;
  blocks: number;
  /** Free to the superuser. */
  freeBlocks: number;
  /** Free to everybody; smaller than `freeBlocks` by what is reserved. */
  availableBlocks: number;
}

/** An address of an interface, as the kernel lists it. */
export interface InterfaceAddress {
  name: string;
  family: "IPv4" | "IPv6";
  address: string;
}

/** Where the kernel's trees are; a container may see its host's elsewhere. */
export interface Roots {
  /** Usually `/proc`; `$HOST_PROC` in a container. */
  proc: string;
  /** Usually `/sys`. */
  sys: string;
  /** Usually `/`, for `etc/os-release` and its like. */
  root: string;
}

/** The machine. */
export interface Host {
  readonly roots: Roots;
  /** Opens a file to be read many times. A missing file is no error: its source reads `undefined`. */
  open(path: string): Source;
  /** A file's text, once; `undefined` when it is missing or can't be read. */
  readText(path: string): string | undefined;
  /** Names in a folder; `undefined` when it is missing or can't be listed. */
  list(path: string): string[] | undefined;
  /** Where a symbolic link points; `undefined` when it is none. */
  readLink(path: string): string | undefined;
  /** Whether anything lies at the path. */
  exists(path: string): boolean;
  /** How many hard links a file or folder has, also after the seal; `undefined` where that can't be asked. */
  openLinkCount(path: string): (() => number) | undefined;
  /** @throws {Error} When the path is gone or can't be asked. */
  statfs(path: string): FileSystemUse;
  /** The same without blocking the process, for file systems that may hang. */
  statfsAsync(path: string): Promise<FileSystemUse>;
  interfaceAddresses(): InterfaceAddress[];
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
}
