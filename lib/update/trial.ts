import { delay } from "@std/async/delay";
import type { Health } from "../state/health_reader.ts";
import type { StateFile } from "../state/state_file.ts";
import {
  formatUpdateState,
  rejectedVersions,
  type Rejection,
  type Trial,
  type UpdateState,
} from "../state/update_state.ts";
import type { ProgramFiles } from "./program_files.ts";

/** Time for the panel to accept a report. */
export const HEALTH_TIMEOUT_MS = 60_000;
/** Time between two looks at an agent's health. */
export const POLL_INTERVAL_MS = 500;

/** The agent that runs the program to update. */
export interface UpdatedAgent {
  /** Its health file; `undefined` when there is none. */
  health(): Health | undefined;
  /** @throws {Error} When the agent would not come back after a restart. */
  requireRestart(health: Health): void;
  /** Restarts it from the program file. @throws {Error} When that fails. */
  restart(signal: AbortSignal): Promise<void>;
}

/**
 * Whether the panel accepts a report of a version within the time limit.
 *
 * Two consecutive polls must see it, since the health file of a starting agent may still be the
 * previous one's.
 */
async function passesHealthCheck(
  version: string,
  agent: UpdatedAgent,
  signal: AbortSignal,
): Promise<boolean> {
  const end = performance.now() + HEALTH_TIMEOUT_MS;
  let seen: number | undefined;
  while (performance.now() < end) {
    const found = agent.health();
    const reports = found?.isRunning === true && found.version === version &&
      found.acceptedAtMs !== undefined;
    if (reports && seen === found.pid) return true;
    seen = reports ? found.pid : undefined;
    await delay(POLL_INTERVAL_MS, { signal });
  }
  return false;
}

/**
 * The log's lines about an update, by its steps; after each, an interrupted update can be resumed.
 *
 * `fetched` and `runs` refer to the staged file; `trial written` and `old kept` precede `in place`.
 */
export const STEP_LINES = {
  "older": "Going back from version {from} to {to}, which was asked for by its name",
  "fetched": "Version {to} was downloaded and verified",
  "runs": "Version {to} starts on this machine",
  "trial written": "Trying version {to}",
  "old kept": "Version {from} is kept as {path}",
  "in place": "Version {to} is installed as {path}",
  "restarted": "The agent was restarted as version {to}",
  "resumed": "Resuming the trial of version {to}, which was interrupted",
  "accepted": "The panel accepts reports of version {to}",
  "rolling back": "Version {to} did not report: rolling back to {from}",
  "rolled back": "Version {from} is installed again; {to} will not be tried again within a week",
} as const;

/** Progress of an update. */
export type UpdateStep = keyof typeof STEP_LINES;

/** Options of {@linkcode TrialRun}. */
export interface TrialOptions {
  readonly files: ProgramFiles;
  readonly state: StateFile<UpdateState>;
  readonly agent: UpdatedAgent;
  /** Receives each step, with the fields of its line. */
  onStep(step: UpdateStep, fields: { from: string; to: string; path?: string }): void;
}

/**
 * The outcome: the new version reports, is installed without a running agent, or was rolled back.
 */
export interface TrialOutcome {
  readonly kind: "updated" | "installed" | "rolled back";
  readonly from: string;
  readonly to: string;
}

/** A trial that was interrupted more often is rolled back. */
const MAX_RESUMES = 2;

/**
 * Installs a new version, and rolls back unless it reports.
 *
 * Each step is synced before the next, so that {@linkcode resume} can continue after a kill or a
 * power loss.
 */
export class TrialRun {
  readonly #parts: TrialOptions;
  readonly #failed: readonly Rejection[];
  readonly #openTrial: Trial | undefined;

  /** @throws {Error} When the state exists and can't be read. */
  constructor(parts: TrialOptions) {
    this.#parts = parts;
    const { failed = [], trial } = parts.state.read().value ?? {};
    this.#failed = failed;
    this.#openTrial = trial;
  }

  /** Versions that failed on this machine within a week. */
  get failed(): readonly string[] {
    return rejectedVersions(this.#failed, Date.now());
  }

  /**
   * Tries the staged file. Without a running agent there is nothing to check, and the file just
   * replaces the program.
   *
   * @throws {Error} When the file can't be installed or the agent can't be restarted; the previous
   * version is in place then.
   */
  async start(
    { from, to, sha256 }: { from: string; to: string; sha256: string },
    signal: AbortSignal,
  ): Promise<TrialOutcome> {
    const { files, agent } = this.#parts;
    const trial = { from, to, sha256, resumes: 0, isReturning: false };
    const isRunning = agent.health()?.isRunning === true;
    try {
      if (isRunning) {
        await this.#write(this.#failed, trial);
        this.#notify("trial written", trial);
      }
      await files.backUp();
      this.#notify("old kept", trial, files.backupPath);
      await files.activate();
      this.#notify("in place", trial, files.path);
    } catch (cause) {
      await files.removeTemporary();
      // The disk may fail between the rename and its sync.
      if (await files.isActive(sha256)) await files.rollBack();
      if (isRunning) await this.#write(this.#failed);
      throw new Error(`Cannot install version ${to}`, { cause });
    }
    return isRunning ? await this.#restartAndCheck(trial, signal) : { kind: "installed", from, to };
  }

  /** Records a version that is not to be tried within a week. @throws {Error} When it can't be written. */
  async reject(version: string): Promise<void> {
    await this.#write(this.#failedAnd(version));
  }

  /**
   * Continues an interrupted trial; `undefined` when there was none, or it had not changed
   * anything.
   */
  async resume(signal: AbortSignal): Promise<TrialOutcome | undefined> {
    const { files, agent } = this.#parts;
    const trial = this.#openTrial;
    if (trial === undefined) {
      await files.removeTemporary();
      return undefined;
    }
    if (trial.isReturning) {
      return await this.#finishRollBack(trial, { failed: this.#failed, signal });
    }
    if (!await files.isActive(trial.sha256)) {
      await files.removeTemporary();
      await this.#write(this.#failed);
      return undefined;
    }
    if (trial.resumes >= MAX_RESUMES) return await this.#rollBack(trial, signal);
    await this.#write(this.#failed, { ...trial, resumes: trial.resumes + 1 });
    this.#notify("resumed", trial);
    const health = agent.health();
    const isOld = health?.isRunning === true && health.version !== trial.to;
    return isOld
      ? await this.#restartAndCheck(trial, signal)
      : await this.#checkHealth(trial, signal);
  }

  async #restartAndCheck(trial: Trial, signal: AbortSignal): Promise<TrialOutcome> {
    const { files, agent } = this.#parts;
    try {
      await agent.restart(signal);
    } catch (cause) {
      // An abort leaves the trial to be resumed.
      signal.throwIfAborted();
      await files.rollBack();
      await this.#write(this.#failed);
      // The failed restart may have stopped the agent. A second failure is in the cause.
      await this.#restartPrevious(trial, signal).catch(() => {});
      throw new Error(`Cannot try version ${trial.to}: the agent can't be restarted`, { cause });
    }
    this.#notify("restarted", trial);
    return await this.#checkHealth(trial, signal);
  }

  async #checkHealth(trial: Trial, signal: AbortSignal): Promise<TrialOutcome> {
    const { from, to } = trial;
    const { agent } = this.#parts;
    if (!await passesHealthCheck(to, agent, signal)) return await this.#rollBack(trial, signal);
    await this.#write(this.#failed);
    this.#notify("accepted", trial);
    return { kind: "updated", from, to };
  }

  async #rollBack(trial: Trial, signal: AbortSignal): Promise<TrialOutcome> {
    const { to } = trial;
    const failed = this.#failedAnd(to);
    await this.#write(failed, { ...trial, isReturning: true });
    this.#notify("rolling back", trial);
    return await this.#finishRollBack(trial, { failed, signal });
  }

  async #finishRollBack(
    trial: Trial,
    { failed, signal }: { failed: readonly Rejection[]; signal: AbortSignal },
  ): Promise<TrialOutcome> {
    const { files } = this.#parts;
    const { from, to } = trial;
    try {
      if (await files.isActive(trial.sha256)) await files.rollBack();
    } catch (cause) {
      signal.throwIfAborted();
      await this.#write(failed);
      throw new Error(`Cannot roll back to version ${from}`, { cause });
    }
    this.#notify("rolled back", trial);
    try {
      await this.#restartPrevious(trial, signal);
    } catch (cause) {
      signal.throwIfAborted();
      // The trial stays open, so the next run continues here.
      throw new Error(`Cannot restart the agent as version ${from}, which is installed again`, {
        cause,
      });
    }
    await this.#write(failed);
    return { kind: "rolled back", from, to };
  }

  #failedAnd(version: string): Rejection[] {
    const others = this.#failed.filter((it) => it.version !== version);
    return [...others, { version, atMs: Date.now() }];
  }

  /** Restarts the agent as the previous version, unless it runs that already. */
  async #restartPrevious({ to }: Trial, signal: AbortSignal): Promise<void> {
    const { agent } = this.#parts;
    const health = agent.health();
    if (health?.isRunning !== true || health.version === to) await agent.restart(signal);
  }

  #notify(step: UpdateStep, { from, to }: Trial, path?: string): void {
    this.#parts.onStep(step, { from, to, ...(path !== undefined && { path }) });
  }

  async #write(failed: readonly Rejection[], trial?: Trial): Promise<void> {
    await this.#parts.state.write(formatUpdateState({ failed, ...(trial && { trial }) }));
  }
}
