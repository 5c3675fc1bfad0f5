import { attempt } from "../attempt.ts";
import { describeError, getLogger } from "../log/log.ts";
import { redactSecrets, redactUrl } from "../log/redact.ts";
import { foreignWords, truncate } from "../parse/bounded_text.ts";
import type { ProbeType } from "../types.ts";
import { RecordFile } from "./record_file.ts";
import { FolderLock, takeFromLookers } from "./state_lock.ts";
import { openWritableFile } from "./writable_file.ts";

/** The file's name in one of the runtime folders. */
export const HEALTH_FILE = "health";
/** Its lock, which no other user can open. */
export const HEALTH_LOCK = `${HEALTH_FILE}.lock`;
/** A record is shorter. */
export const HEALTH_BYTES = 16 * 1024;
/** As many as the configuration takes: one, and 16 more. */
const MAX_PANELS = 17;
/** Longer texts, such as the reason of a missing seal, are cut. */
const MAX_TEXT_LENGTH = 300;
/** Failures are cut to these lengths, and no target is named, where the record does not fit otherwise. */
const SHORTER_TEXT_LENGTHS = [MAX_TEXT_LENGTH, 100, 20] as const;

/** A failure in words, what to do about it, and when it was. */
export interface Failure {
  readonly text: string;
  readonly action?: string | undefined;
  readonly atMs: number;
}

/** The state of the connection to one panel. */
export interface PanelHealth {
  /** Host and path of its address. */
  readonly panel: string;
  /** Host and port of the proxy on the way to it. */
  readonly proxy?: string | undefined;
  /** The transport in use; `undefined` during an outage. */
  readonly transport?: string | undefined;
  /** When the transport was chosen, or the outage has begun, in milliseconds since 1970. */
  readonly sinceMs: number;
  /** When the panel last accepted a report; `undefined` before the first. */
  readonly acceptedAtMs?: number | undefined;
  /** Time between reports, at the last one that was accepted. */
  readonly intervalMs?: number;
  /** Calls that failed since then. */
  readonly failures: number;
  /** The last failure. */
  readonly error?: Failure | undefined;
  /** Probes that are repeated. */
  readonly probes: number;
  /** Results of probes in the last minute, and those among them that were lost. */
  readonly lastMinute?: number;
  readonly lost?: number;
  /** Some targets of which each of the last results was lost. */
  readonly lostTargets?: readonly LostTarget[] | undefined;
  /** WebSockets in a row that were closed soon after they opened. */
  readonly shortConnections?: number;
  /** How long the shortest, and the longest, of the last three of them was open. */
  readonly shortestMs?: number;
  readonly longestMs?: number;
}

/** What a probe of a panel goes to, in its words. */
export interface LostTarget {
  readonly kind: ProbeType;
  readonly target: string;
}

/** A part of the agent that can fail while reports go on. */
export type ProblemPart = typeof PROBLEM_PARTS[number];

/** All of these parts; `remote` is control by the panel, which was asked for and is off. */
export const PROBLEM_PARTS = [
  "registration",
  "state",
  "ping",
  "metrics",
  "gpu",
  "authorities",
  "remote",
  "network",
  "disk",
  "terminal",
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

/** Options of {@linkcode HealthFile.open}. */
export interface HealthOptions {
  readonly version: string;
  /** Texts that are not written; the list may grow. */
  readonly secrets?: readonly string[];
  /** The folder where the agent keeps its state; absent where it keeps none. */
  readonly stateFolder?: string | undefined;
  /** By what the settings of its file are told from others; absent without one. */
  readonly configDigest?: string | undefined;
}

/**
 * A file in memory that says how the agent is: its last accepted report, and its seal.
 *
 * It costs two system calls per report, wears out no disk, and is held by a lock that ends with the
 * process: that of a private file beside it, since everybody who may read a file can lock it. It is
 * opened before the process is sealed and needs no path afterwards.
 */
export class HealthFile implements ProblemObserver {
  readonly path: string;
  readonly #record: RecordFile;
  readonly #lock: FolderLock;
  readonly #secrets: readonly string[];
  readonly #started: Pick<HealthOptions, "version" | "stateFolder" | "configDigest">;
  #intervalMs = 0;
  #acceptedAtMs: number | undefined;
  #seal = "";
  #panels: readonly PanelHealth[] = [];
  /** The panels' texts as they are shown, by those that were given: most stay for hours. */
  #shownTexts: ReadonlyMap<string, string> = new Map();
  /** Secrets of which these are free. */
  #hiddenSecrets = 0;
  readonly #problems = new Map<ProblemPart, Problem>();
  readonly #startedAtMs = Date.now();

  private constructor(
    path: string,
    { record, lock }: { record: RecordFile; lock: FolderLock },
    { secrets = [], ...started }: HealthOptions,
  ) {
    this.path = path;
    this.#record = record;
    this.#lock = lock;
    this.#secrets = secrets;
    this.#started = started;
  }

  /**
   * Makes the file in the first folder that lets it be made. Where none does, or another agent has it,
   * the agent runs without, and the log says so.
   */
  static open(folders: readonly string[], options: HealthOptions): HealthFile | undefined {
    const log = getLogger("agent");
    const reasons: string[] = [];
    for (const folder of folders) {
      try {
        return HealthFile.#openIn(folder, options);
      } catch (error) {
        const reason = describeError(error);
        if (error instanceof UnsafeFolder) log.warning("No health file: {reason}", { reason });
        reasons.push(reason);
        if (error instanceof TakenByAgent) break;
      }
    }
    log.warning("`health` and `status` can't see this agent: {reasons}", {
      reasons: reasons.join("; "),
    });
    return undefined;
  }

  /** @throws {Error} When the file can't be made and written, or another agent has it. */
  static #openIn(folder: string, options: HealthOptions): HealthFile {
    const path = `${folder}/${HEALTH_FILE}`;
    makeFolder(folder);
    using opened = new DisposableStack();
    const lock = opened.use(FolderLock.open(folder, { name: HEALTH_LOCK }));
    const file = opened.adopt(openWritableFile(path, { mode: 0o644 }), (it) => it.close());
    // What others have put into the folder before.
    if (file.statSync().uid !== Deno.uid()) {
      throw new UnsafeFolder(`${path} belongs to another user`);
    }
    if (!lock.takeFromLookers()) throw new TakenByAgent(`another agent has ${path}`);
    // For users who may not open the lock. Any of them can keep this one from us.
    takeFromLookers(file);
    file.truncateSync(0);
    const record = new RecordFile(file, { maxBytes: HEALTH_BYTES });
    const health = new HealthFile(path, { record, lock }, options);
    try {
      health.#write();
    } catch (cause) {
      throw new Error(`Cannot write ${path}`, { cause });
    }
    opened.move();
    return health;
  }

  /** Says how this process is sealed, or that it is not. */
  setSeal(text: string): void {
    this.#seal = truncate(text, MAX_TEXT_LENGTH);
    this.#tryWrite();
  }

  /** Sets the state of all panels; `now` writes it at once, and not only with the next report. */
  setPanels(panels: readonly PanelHealth[], { now }: { now: boolean }): void {
    const isCurrent = this.#hiddenSecrets === this.#secrets.length;
    const before = isCurrent ? this.#shownTexts : new Map<string, string>();
    const texts = new Map<string, string>();
    const show = (text: string): string => {
      const shown = before.get(text) ?? this.#shownText(text);
      texts.set(text, shown);
      return shown;
    };
    this.#panels = panels.slice(0, MAX_PANELS).map((panel) => shownPanel(panel, show));
    this.#shownTexts = texts;
    this.#hiddenSecrets = this.#secrets.length;
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
    this.#record[Symbol.dispose]();
    // It stays where it is: another agent may just have opened it.
    this.#lock[Symbol.dispose]();
  }

  /** Without secrets, and cut then. */
  #shownText(text: string): string {
    return truncate(redactSecrets(text, this.#secrets), MAX_TEXT_LENGTH);
  }

  /** Memory that is full stops no reports. */
  #tryWrite(state: { isStopped?: boolean } = {}): void {
    attempt(() => this.#write(state));
  }

  #write({ isStopped = false } = {}): void {
    const record = {
      pid: Deno.pid,
      ...this.#started,
      startedAtMs: this.#startedAtMs,
      intervalMs: this.#intervalMs,
      acceptedAtMs: this.#acceptedAtMs,
      seal: this.#seal,
      panels: this.#panels,
      problems: [...this.#problems.values()],
      isStopped,
    };
    if (this.#record.write(record)) return;
    for (const maxLength of SHORTER_TEXT_LENGTHS) {
      const cut = (key: string, value: unknown) =>
        key === "lostTargets"
          ? undefined
          : (key === "text" || key === "action") && typeof value === "string"
          ? truncate(value, maxLength)
          : value;
      if (this.#record.write(record, cut)) return;
    }
  }
}

/** A panel's state with texts that every user of this machine may read. */
function shownPanel(panel: PanelHealth, show: (text: string) => string): PanelHealth {
  const { error, lostTargets } = panel;
  return {
    ...panel,
    panel: show(panel.panel),
    error: error &&
      { ...error, text: show(error.text), action: error.action && show(error.action) },
    // That of an HTTP probe may have a password.
    lostTargets: lostTargets?.map(({ kind, target }) => ({
      kind,
      target: foreignWords(show(redactUrl(target)), MAX_TEXT_LENGTH),
    })),
  };
}

class UnsafeFolder extends Error {}

class TakenByAgent extends Error {}

/** @throws {Error} When it can't be made, or others than this user could put something into it. */
function makeFolder(folder: string): void {
  Deno.mkdirSync(folder, { recursive: true, mode: 0o755 });
  const { isDirectory, uid, mode } = Deno.lstatSync(folder);
  if (!isDirectory) throw new UnsafeFolder(`${folder} is no folder`);
  if (uid !== Deno.uid()) throw new UnsafeFolder(`${folder} belongs to another user`);
  const bits = mode ?? 0;
  if ((bits & 0o022) === 0) return;
  // The agent's own, unless it is shared on purpose, as /tmp is.
  if ((bits & 0o1000) !== 0) throw new UnsafeFolder(`other users may write to ${folder}`);
  Deno.chmodSync(folder, bits & 0o755);
}
