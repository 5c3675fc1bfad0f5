import { openRegularFile } from "./regular_file.ts";

/** The file's name in one of the runtime folders. */
export const HEALTH_FILE = "health";
/** The record always has this size, so that a sealed process never has to shorten the file. */
export const HEALTH_BYTES = 1024;
/** A reason why there is no seal is cut behind this. */
const MAX_SANDBOX_LENGTH = 200;
/** How often a lock is tried that another process has, and the time between. */
const LOCK_TRIES = 10;
const PAUSE_MS = 5;

/**
 * A file in memory that says how the agent is: its last accepted report, and its sandbox.
 *
 * It costs two system calls per report, wears out no disk, and is held by a lock that ends with the
 * process. It is opened before the process is sealed and needs no path afterwards.
 */
export class HealthFile {
  readonly path: string;
  readonly #file: Deno.FsFile;
  readonly #version: string;
  #intervalMs = 0;
  #acceptedAtMs: number | undefined;
  #sandbox = "";

  private constructor(path: string, file: Deno.FsFile, version: string) {
    this.path = path;
    this.#file = file;
    this.#version = version;
    file.truncateSync(0);
    this.#write();
  }

  /**
   * Makes the file in the first folder that lets it be made; `undefined` when none does, or when
   * another agent has it. `pause` waits a little.
   */
  static open(
    folders: readonly string[],
    { version }: { version: string },
    { pause = pauseBriefly }: { pause?: () => void } = {},
  ): HealthFile | undefined {
    for (const folder of folders) {
      const path = `${folder}/${HEALTH_FILE}`;
      const file = openOwn(folder, path);
      if (file === undefined) continue;
      if (takeLock(file, pause)) return new HealthFile(path, file, version);
      file.close();
      return undefined;
    }
    return undefined;
  }

  /** Names the walls around this process, or says that there are none. */
  setSandbox(text: string): void {
    this.#sandbox = text.slice(0, MAX_SANDBOX_LENGTH);
    this.#tryWrite();
  }

  /** The panel has accepted a report at `atMs`, and the next one is due after `intervalMs`. */
  accepted(intervalMs: number, { atMs = Date.now() }: { atMs?: number } = {}): void {
    this.#intervalMs = intervalMs;
    this.#acceptedAtMs = atMs;
    this.#tryWrite();
  }

  /** Removes the file, or says in it that the agent has ended, where a sealed process can't. */
  close(): void {
    try {
      Deno.removeSync(this.path);
    } catch {
      this.#tryWrite({ isStopped: true });
    }
    this.#file.close();
  }

  #tryWrite(state: { isStopped?: boolean } = {}): void {
    try {
      this.#write(state);
    } catch {
      // Memory that is full stops no reports.
    }
  }

  #write({ isStopped = false } = {}): void {
    const record = JSON.stringify({
      pid: Deno.pid,
      version: this.#version,
      intervalMs: this.#intervalMs,
      acceptedAtMs: this.#acceptedAtMs,
      sandbox: this.#sandbox,
      isStopped,
    });
    // The reason of a missing seal is ASCII, as system errors are, so characters are bytes.
    this.#file.seekSync(0, Deno.SeekMode.Start);
    this.#file.writeSync(new TextEncoder().encode(record.padEnd(HEALTH_BYTES - 1) + "\n"));
  }
}

/** A process that reads the file has the lock for a moment, which is not another agent. */
function takeLock(file: Deno.FsFile, pause: () => void): boolean {
  for (let tries = 1; !file.tryLockSync(true); tries++) {
    if (tries === LOCK_TRIES) return false;
    pause();
  }
  return true;
}

function pauseBriefly(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
}

/** Opens the file where no one but this user can put anything into the folder. */
function openOwn(folder: string, path: string): Deno.FsFile | undefined {
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o755 });
    const { isDirectory, isSymlink, uid, mode } = Deno.lstatSync(folder);
    if (!isDirectory || isSymlink || uid !== Deno.uid()) return undefined;
    if (((mode ?? 0) & 0o022) !== 0) return undefined;
    return openRegularFile(path, { mode: 0o644 });
  } catch {
    return undefined;
  }
}
