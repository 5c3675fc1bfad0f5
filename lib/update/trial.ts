import { delay } from "@std/async/delay";
import type { Health } from "../host/health_file.ts";
import type { StateFile } from "../host/state_file.ts";
import { formatUpdateState, type Trial, type UpdateState } from "../host/update_state.ts";
import type { ProgramFiles } from "./program_files.ts";

/** How long is looked where nothing else is said. */
export const HEALTH_TIMEOUT_MS = 60_000;
/** How often is looked where nothing else is said. */
export const POLL_INTERVAL_MS = 500;

/** How long is looked, and how often. */
export interface HealthCheckOptions {
  /** 60 s when absent. */
  readonly healthTimeoutMs?: number;
  /** 500 ms when absent. */
  readonly pollIntervalMs?: number;
}

/**
 * Whether the panel accepts a report of a version within the time.
 *
 * Two looks have to see it, for an agent that just starts has not set its mark yet.
 */
export async function passesHealthCheck(
  version: string,
  {
    health,
    watch: { healthTimeoutMs = HEALTH_TIMEOUT_MS, pollIntervalMs = POLL_INTERVAL_MS },
    signal,
  }: {
    health: () => Health | undefined;
    watch: HealthCheckOptions;
    signal: AbortSignal;
  },
): Promise<boolean> {
  const end = performance.now() + healthTimeoutMs;
  let seen: number | undefined;
  while (performance.now() < end) {
    const found = health();
    const reports = found?.isRunning === true && found.version === version &&
      found.acceptedAtMs !== undefined;
    if (reports && seen === found.pid) return true;
    seen = reports ? found.pid : undefined;
    await delay(pollIntervalMs, { signal });
  }
  return false;
}

/**
 * How far an update has come; after each step a power loss leaves what the next run goes on from.
 *
 * `fetched` and `runs` are of the new file beside the program, `trial written` and `old kept` come
 * before it is `in place`.
 */
export type UpdateStep =
  | "fetched"
  | "runs"
  | "trial written"
  | "old kept"
  | "in place"
  | "restarted"
  | "resumed"
  | "accepted"
  | "returning"
  | "returned";

/** Tells a step in words. */
export type StepListener = (step: UpdateStep, words: string) => void;

/** The agent that runs the program which is renewed. */
export interface UpdatedAgent {
  /** What it says of itself; `undefined` where none does. */
  health(): Health | undefined;
  /** Ends it and has it started from the program's file. @throws {Error} When that fails. */
  restart(signal: AbortSignal): Promise<void>;
}

/** What a trial works with. */
export interface TrialOptions extends HealthCheckOptions {
  readonly files: ProgramFiles;
  readonly state: StateFile<UpdateState>;
  readonly agent: UpdatedAgent;
  readonly onStep: StepListener;
}

/** How a trial ended: the new version is in use, in its place only, or the one before is back. */
export interface TrialOutcome {
  readonly kind: "updated" | "swapped" | "returned";
  readonly from: string;
  readonly to: string;
}

/** A trial that was cut off so often is no accident. */
const MAX_RESUMES = 2;

/**
 * Puts a new version in the program's place, and takes it out again unless it reports.
 *
 * Each step is on the disk before the next, so {@linkcode resume} knows after a kill or a power
 * loss what was under way.
 */
export class TrialRun {
  readonly #parts: TrialOptions;
  readonly #failed: readonly string[];
  readonly #found: Trial | undefined;

  /** @throws {Error} When the state is there and can't be read. */
  constructor(parts: TrialOptions) {
    this.#parts = parts;
    const { failed = [], trial } = parts.state.read().value ?? {};
    this.#failed = failed;
    this.#found = trial;
  }

  /** Versions that have failed here. */
  get failed(): readonly string[] {
    return this.#failed;
  }

  /**
   * Tries the new file that lies ready. Without an agent that runs nothing can be tried: the file
   * takes the program's place, and that is all.
   *
   * @throws {Error} When it can't take the place, or the agent can't be restarted; the version
   * before is in its place then.
   */
  async start(
    { from, to, sha256 }: Pick<Trial, "from" | "to" | "sha256">,
    signal: AbortSignal,
  ): Promise<TrialOutcome> {
    const { files, agent, onStep } = this.#parts;
    const trial = { from, to, sha256, startedAtMs: Date.now(), resumes: 0, isReturning: false };
    const isRunning = agent.health()?.isRunning === true;
    try {
      if (isRunning) {
        await this.#write(this.#failed, trial);
        onStep("trial written", `Trying version ${to}`);
      }
      await files.backUp();
      onStep("old kept", `Version ${from} is kept as ${files.backupPath}`);
      await files.activate();
      onStep("in place", `Version ${to} is in its place, ${files.path}`);
    } catch (cause) {
      await files.removeTemporary();
      // A disk may fail after the new name was given and before it is kept for good.
      if (await files.isActive(sha256)) await files.rollBack();
      if (isRunning) await this.#write(this.#failed);
      throw new Error(`Cannot put version ${to} in its place`, { cause });
    }
    return isRunning ? await this.#try(trial, signal) : { kind: "swapped", from, to };
  }

  /** Remembers that a version is not to be tried. @throws {Error} When it can't be written. */
  async reject(version: string): Promise<void> {
    await this.#write([...this.#failed, version]);
  }

  /** Goes on with what was cut off; `undefined` when nothing was, or nothing had happened yet. */
  async resume(signal: AbortSignal): Promise<TrialOutcome | undefined> {
    const { files, agent, onStep } = this.#parts;
    const trial = this.#found;
    if (trial === undefined) {
      await files.removeTemporary();
      return undefined;
    }
    if (trial.isReturning) return await this.#finishReturn(trial, { failed: this.#failed, signal });
    if (!await files.isActive(trial.sha256)) {
      await files.removeTemporary();
      await this.#write(this.#failed);
      return undefined;
    }
    if (trial.resumes >= MAX_RESUMES) return await this.#return(trial, signal);
    await this.#write(this.#failed, { ...trial, resumes: trial.resumes + 1 });
    onStep("resumed", `Going on with the trial of version ${trial.to}, which was cut off`);
    const health = agent.health();
    const isOld = health?.isRunning === true && health.version !== trial.to;
    return isOld ? await this.#try(trial, signal) : await this.#judge(trial, signal);
  }

  async #try(trial: Trial, signal: AbortSignal): Promise<TrialOutcome> {
    const { files, agent, onStep } = this.#parts;
    try {
      await agent.restart(signal);
    } catch (cause) {
      // Cut off here, it is taken up again.
      signal.throwIfAborted();
      await files.rollBack();
      await this.#write(this.#failed);
      // It may have ended the agent before it failed. What fails again is told by the cause.
      await this.#leave(trial, signal).catch(() => {});
      throw new Error(`Cannot try version ${trial.to}: the agent can't be restarted`, { cause });
    }
    onStep("restarted", `The agent is restarted as version ${trial.to}`);
    return await this.#judge(trial, signal);
  }

  async #judge(trial: Trial, signal: AbortSignal): Promise<TrialOutcome> {
    const { from, to } = trial;
    const health = () => this.#parts.agent.health();
    if (!await passesHealthCheck(to, { health, watch: this.#parts, signal })) {
      return await this.#return(trial, signal);
    }
    await this.#write(this.#failed);
    this.#parts.onStep("accepted", `The panel accepts the reports of version ${to}`);
    return { kind: "updated", from, to };
  }

  async #return(trial: Trial, signal: AbortSignal): Promise<TrialOutcome> {
    const { to, from } = trial;
    const failed = [...this.#failed.filter((it) => it !== to), to];
    await this.#write(failed, { ...trial, isReturning: true });
    this.#parts.onStep("returning", `Version ${to} has not reported: going back to ${from}`);
    return await this.#finishReturn(trial, { failed, signal });
  }

  async #finishReturn(
    trial: Trial,
    { failed, signal }: { failed: readonly string[]; signal: AbortSignal },
  ): Promise<TrialOutcome> {
    const { files, onStep } = this.#parts;
    const { from, to } = trial;
    try {
      if (await files.isActive(trial.sha256)) await files.rollBack();
    } catch (cause) {
      signal.throwIfAborted();
      await this.#write(failed);
      throw new Error(`Cannot go back to version ${from}`, { cause });
    }
    onStep("returned", `Version ${from} is back in its place; ${to} is not tried again`);
    try {
      await this.#leave(trial, signal);
    } catch (cause) {
      signal.throwIfAborted();
      // The trial stays open, so the next run takes it up here.
      throw new Error(`Cannot restart the agent as version ${from}, which is back`, { cause });
    }
    await this.#write(failed);
    return { kind: "returned", from, to };
  }

  /** Has the agent run the version before, unless it does already. */
  async #leave({ to }: Trial, signal: AbortSignal): Promise<void> {
    const { agent } = this.#parts;
    const health = agent.health();
    if (health?.isRunning !== true || health.version === to) await agent.restart(signal);
  }

  async #write(failed: readonly string[], trial?: Trial): Promise<void> {
    await this.#parts.state.write(formatUpdateState({ failed, ...(trial && { trial }) }));
  }
}
