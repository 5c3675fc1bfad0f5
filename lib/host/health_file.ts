/** What an agent says of itself to `health`, `install` and `update`. */
export interface Health {
  readonly pid: number;
  readonly version: string;
  /** Time between two reports; 0 before the first was accepted. */
  readonly intervalMs: number;
  /** When the panel last accepted a report, by this machine's clock; `undefined` before the first. */
  readonly acceptedAtMs: number | undefined;
  /** Whether that agent still runs. */
  readonly isRunning: boolean;
}

const NAME = "health";
/** More than was ever written here. */
const MAX_BYTES = 1024;
/** How often a lock is tried that another process has, and how long between. */
const LOCK_TRIES = 10;
const PAUSE_MS = 5;
/** Of JSON that is an object. */
const FIRST_BYTE = new TextEncoder().encode("{");

/**
 * A file in memory whose time of change is that of the last accepted report.
 *
 * It costs two system calls per report, wears out no disk, and is held by a lock that ends with the
 * process.
 */
export class HealthFile {
  readonly path: string;
  readonly #file: Deno.FsFile;
  readonly #version: string;
  #intervalMs = 0;

  private constructor(path: string, file: Deno.FsFile, version: string) {
    this.path = path;
    this.#file = file;
    this.#version = version;
    this.#write();
    file.utimeSync(0, 0);
  }

  /**
   * Makes the file in the first folder that lets it be made; `undefined` when none does, or when
   * another agent has it. `pause` waits a little.
   */
  static open(
    folders: readonly string[],
    { version }: { version: string },
    { pause = aMoment }: { pause?: () => void } = {},
  ): HealthFile | undefined {
    for (const folder of folders) {
      const path = `${folder}/${NAME}`;
      const file = openOwn(folder, path);
      if (file === undefined) continue;
      if (!takeLock(file, pause)) {
        file.close();
        return undefined;
      }
      return new HealthFile(path, file, version);
    }
    return undefined;
  }

  /**
   * The panel has accepted a report just now, and the next one is due after `intervalMs`.
   *
   * The first byte is written again, since after the seal no time can be set below `/dev`.
   */
  accepted(intervalMs: number): void {
    try {
      if (intervalMs !== this.#intervalMs) {
        this.#intervalMs = intervalMs;
        return this.#write();
      }
      this.#file.seekSync(0, Deno.SeekMode.Start);
      this.#file.writeSync(FIRST_BYTE);
    } catch {
      // A disk that is full keeps nobody from reporting.
    }
  }

  #write(): void {
    const about = { pid: Deno.pid, version: this.#version, intervalMs: this.#intervalMs };
    this.#file.truncateSync(0);
    this.#file.seekSync(0, Deno.SeekMode.Start);
    this.#file.writeSync(new TextEncoder().encode(JSON.stringify(about)));
  }

  /** Takes the file away. */
  close(): void {
    try {
      Deno.removeSync(this.path);
    } catch {
      // Somebody was quicker.
    }
    this.#file.close();
  }
}

/** Whoever looks how an agent is has the lock for a blink, and an agent that starts must not miss it. */
function takeLock(file: Deno.FsFile, pause: () => void): boolean {
  for (let tries = 1; !file.tryLockSync(true); tries++) {
    if (tries === LOCK_TRIES) return false;
    pause();
  }
  return true;
}

function aMoment(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
}

/** What the agent says that uses the first of these folders in which there is one. */
export function readHealth(folders: readonly string[]): Health | undefined {
  for (const folder of folders) {
    try {
      const path = `${folder}/${NAME}`;
      // Root looks into folders of others: to open a pipe waits for ever, and a link leads anywhere.
      if (!Deno.lstatSync(path).isFile) continue;
      using file = Deno.openSync(path, { read: true });
      const { size, mtime } = file.statSync();
      if (size > MAX_BYTES) continue;
      const bytes = new Uint8Array(size);
      file.readSync(bytes);
      const about: unknown = JSON.parse(new TextDecoder().decode(bytes));
      if (typeof about !== "object") continue;
      const { pid, version, intervalMs }: Record<string, unknown> = { ...about };
      if (typeof pid !== "number" || typeof version !== "string") continue;
      if (typeof intervalMs !== "number") continue;
      const acceptedAtMs = mtime?.getTime() || undefined;
      return { pid, version, intervalMs, acceptedAtMs, isRunning: !file.tryLockSync(false) };
    } catch {
      // There is none in this folder, or it is not for us, or it is just being written.
    }
  }
  return undefined;
}

/** Opens the file where the folder is this user's own: elsewhere others could put a link there. */
function openOwn(folder: string, path: string): Deno.FsFile | undefined {
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o755 });
    const { isDirectory, isSymlink, uid } = Deno.lstatSync(folder);
    if (!isDirectory || isSymlink || uid !== Deno.uid()) return undefined;
    return Deno.openSync(path, { read: true, write: true, create: true, mode: 0o644 });
  } catch {
    return undefined;
  }
}
