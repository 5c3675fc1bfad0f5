import { redactSecrets } from "../log/redact.ts";
import { truncate } from "../parse/bounded_text.ts";
import type { ProbeKind } from "../types.ts";
import { openWritableFile } from "./writable_file.ts";

/** The file's name in one of the runtime folders. */
export const HEALTH_FILE = "health";
/** Its lock, which no other user can open. */
export const HEALTH_LOCK = `${HEALTH_FILE}.lock`;
/** A record is shorter. */
export const HEALTH_BYTES = 8192;
/** Longer texts, such as the reason of a missing seal, are cut. */
const MAX_TEXT_LENGTH = 300;
/** Panels whose state fits into the record, unless most have long texts that are not Latin. */
const MAX_PANELS = 8;
const BLANK = 0x20;

/** The state of the connection to one panel. */
export interface PanelHealth {
  /** Host and path of its address. */
  readonly panel: string;
  /** The transport in use; `undefined` during an outage. */
  readonly transport?: string | undefined;
  /** When the transport was chosen, or the outage has begun, in milliseconds since 1970. */
  readonly sinceMs: number;
  /** When the panel last accepted a report; `undefined` before the first. */
  readonly acceptedAtMs?: number | undefined;
  /** Calls that failed since then. */
  readonly failures: number;
  /** The last failure in words, and when it was. */
  readonly error?: { readonly text: string; readonly atMs: number } | undefined;
  /** Probes that are repeated. */
  readonly probes: number;
  /** The same by kind. */
  readonly kinds?: Readonly<Partial<Record<ProbeKind, number>>>;
  /** Results of probes in the last minute, and those among them that were lost. */
  readonly lastMinute?: number;
  readonly lost?: number;
  /** WebSockets in a row that were closed soon after they opened. */
  readonly shortConnections?: number;
}

/** A part of the agent that can fail while reports go on. */
export type ProblemPart = typeof PROBLEM_PARTS[number];

/** All of these parts: the registration, the month's traffic, ICMP probes, metrics for Prometheus, cards, authorities. */
export const PROBLEM_PARTS = [
  "registration",
  "state",
  "ping",
  "metrics",
  "gpu",
  "authorities",
] as const;

/** A part that does not work, as the agent has seen it. */
export interface Problem {
  readonly part: ProblemPart;
  /** The failure and its reason, in English. */
  readonly text: string;
  /** When it began, in milliseconds since 1970. */
  readonly sinceMs: number;
}

/** Keeps what does not work; must not throw. */
export interface ProblemObserver {
  /** A part does not work for this reason, or does work when it is `undefined`. */
  setProblem(part: ProblemPart, text: string | undefined): void;
}

/** How often a lock is tried that another process has, and the time between. */
const LOCK_TRIES = 10;
const PAUSE_MS = 5;

/**
 * A file in memory that says how the agent is: its last accepted report, and its seal.
 *
 * It costs two system calls per report, wears out no disk, and is held by a lock that ends with the
 * process: that of a private file beside it, since everybody who may read a file can lock it. It is
 * opened before the process is sealed and needs no path afterwards.
 */
export class HealthFile implements ProblemObserver {
  readonly path: string;
  readonly #file: Deno.FsFile;
  readonly #lock: Deno.FsFile;
  readonly #version: string;
  readonly #secrets: readonly string[];
  readonly #encoder = new TextEncoder();
  readonly #buffer = new Uint8Array(HEALTH_BYTES);
  /** Size of the file, which a sealed process can't shorten: later records are filled up with blanks. */
  #bytes = 0;
  #intervalMs = 0;
  #acceptedAtMs: number | undefined;
  #seal = "";
  #panels: readonly PanelHealth[] = [];
  readonly #problems = new Map<ProblemPart, Problem>();
  readonly #startedAtMs = Date.now();

  private constructor(
    path: string,
    { file, lock }: { file: Deno.FsFile; lock: Deno.FsFile },
    { version, secrets = [] }: { version: string; secrets?: readonly string[] },
  ) {
    this.path = path;
    this.#file = file;
    this.#lock = lock;
    this.#version = version;
    this.#secrets = secrets;
    file.truncateSync(0);
    this.#write();
  }

  /**
   * Makes the file in the first folder that lets it be made; `undefined` when none does, or when
   * another agent has it.
   *
   * @param options `secrets`: texts that are not written; the list may grow.
   */
  static open(
    folders: readonly string[],
    options: { version: string; secrets?: readonly string[] },
  ): HealthFile | undefined {
    for (const folder of folders) {
      const path = `${folder}/${HEALTH_FILE}`;
      const files = openOwn(folder, path);
      if (files === undefined) continue;
      const { file, lock } = files;
      if (takeLock(lock)) {
        // Older updaters look at this lock, and another user can keep it from us.
        takeLock(file);
        return new HealthFile(path, files, options);
      }
      file.close();
      lock.close();
      return undefined;
    }
    return undefined;
  }

  /** Says how this process is sealed, or that it is not. */
  setSeal(text: string): void {
    this.#seal = truncate(text, MAX_TEXT_LENGTH);
    this.#tryWrite();
  }

  /** Sets the state of all panels; `now` writes it at once, and not only with the next report. */
  setPanels(panels: readonly PanelHealth[], { now }: { now: boolean }): void {
    this.#panels = panels.slice(0, MAX_PANELS).map((panel) => this.#shown(panel));
    if (now) this.#tryWrite();
  }

  /** Records a part that does not work, or that it works again. */
  setProblem(part: ProblemPart, text: string | undefined): void {
    const before = this.#problems.get(part);
    if (text === undefined && before === undefined) return;
    if (text === undefined) this.#problems.delete(part);
    else {
      const sinceMs = before?.sinceMs ?? Date.now();
      this.#problems.set(part, { part, text: this.#shownText(text), sinceMs });
    }
    this.#tryWrite();
  }

  /** The panel has accepted a report, and the next one is due after `intervalMs`. */
  accepted(intervalMs: number): void {
    this.#intervalMs = intervalMs;
    this.#acceptedAtMs = Date.now();
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
    // It stays where it is: another agent may just have opened it.
    this.#lock.close();
  }

  /** The state with texts that every user of this machine may read: without secrets, and cut then. */
  #shown(panel: PanelHealth): PanelHealth {
    const { error } = panel;
    return {
      ...panel,
      panel: this.#shownText(panel.panel),
      error: error && { ...error, text: this.#shownText(error.text) },
    };
  }

  #shownText(text: string): string {
    return truncate(redactSecrets(text, this.#secrets), MAX_TEXT_LENGTH);
  }

  #tryWrite(state: { isStopped?: boolean } = {}): void {
    try {
      this.#write(state);
    } catch {
      // Memory that is full stops no reports.
    }
  }

  #write({ isStopped = false } = {}): void {
    const written = this.#encode(this.#panels, isStopped) ?? this.#encode([], isStopped) ?? 0;
    // The rest of a longer record before it is overwritten with blanks.
    const end = Math.max(written, this.#bytes);
    this.#buffer.fill(BLANK, written, end);
    this.#bytes = end;
    this.#file.seekSync(0, Deno.SeekMode.Start);
    this.#file.writeSync(this.#buffer.subarray(0, end));
  }

  /** Writes a record to the buffer and gives its length; `undefined` when it does not fit. */
  #encode(panels: readonly PanelHealth[], isStopped: boolean): number | undefined {
    const record = JSON.stringify({
      pid: Deno.pid,
      version: this.#version,
      startedAtMs: this.#startedAtMs,
      intervalMs: this.#intervalMs,
      acceptedAtMs: this.#acceptedAtMs,
      seal: this.#seal,
      panels,
      problems: [...this.#problems.values()],
      isStopped,
      hasPrivateLock: true,
    });
    const { read, written } = this.#encoder.encodeInto(`${record}\n`, this.#buffer);
    return read > record.length ? written : undefined;
  }
}

/** Takes the lock from processes that read the file, and share it for a moment, but from no agent. */
function takeLock(file: Deno.FsFile): boolean {
  for (let tries = 1; !file.tryLockSync(true); tries++) {
    const isAgents = !file.tryLockSync(false);
    if (isAgents || tries === LOCK_TRIES) return false;
    file.unlockSync();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
  }
  return true;
}

/** Opens both files where no one but this user can put anything into the folder. */
function openOwn(
  folder: string,
  path: string,
): { file: Deno.FsFile; lock: Deno.FsFile } | undefined {
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o755 });
    const { isDirectory, uid, mode } = Deno.lstatSync(folder);
    if (!isDirectory || uid !== Deno.uid()) return undefined;
    if (((mode ?? 0) & 0o022) !== 0) return undefined;
    const file = openWritableFile(path, { mode: 0o644 });
    try {
      return { file, lock: openWritableFile(`${folder}/${HEALTH_LOCK}`, { mode: 0o600 }) };
    } catch (error) {
      file.close();
      throw error;
    }
  } catch {
    return undefined;
  }
}
