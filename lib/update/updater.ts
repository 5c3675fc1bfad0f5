import { abortable } from "@std/async/abortable";
import { delay } from "@std/async/delay";
import { pickVariables } from "../config/paths.ts";
import type { Health } from "../host/health_file.ts";
import type { Downloads } from "./download.ts";
import { fetchProgram } from "./fetch_program.ts";
import { findRelease, type FoundRelease } from "./releases.ts";
import {
  HEALTH_TIMEOUT_MS,
  POLL_INTERVAL_MS,
  type TrialOptions,
  type TrialOutcome,
  TrialRun,
  type UpdatedAgent,
} from "./trial.ts";

/** A compiled program starts within a second, on the slowest machine within a few. */
const TIMEOUT_MS = 10_000;
const MAX_OUTPUT = 64 * 1024;

/** What a program may need to start. */
const INHERITED_VARIABLES = ["PATH", "HOME", "TMPDIR", "DENO_DIR", "LD_LIBRARY_PATH"];

/**
 * Runs a program file with `version --json`, and gives the version that it says it is.
 *
 * It gets 10 s, and nothing of this process's environment that may be secret.
 *
 * @throws {Error} When it does not run, fails, hangs or says something else.
 */
export async function readProgramVersion(
  path: string,
  { signal, timeoutMs = TIMEOUT_MS }: { signal: AbortSignal; timeoutMs?: number },
): Promise<string> {
  const late = AbortSignal.timeout(timeoutMs);
  try {
    await using program = new VersionProcess(path);
    const output = await abortable(program.output(), AbortSignal.any([signal, late]));
    return parseVersionOutput(output);
  } catch (cause) {
    signal.throwIfAborted();
    const reason = new Error(`it did not answer within ${timeoutMs / 1000} s`);
    throw new Error(`Cannot run ${path}`, { cause: late.aborted ? reason : cause });
  }
}

/** A program that says something and ends; in the end by force, with all that it has started. */
class VersionProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  #text = "";

  constructor(path: string) {
    this.#child = new Deno.Command(path, {
      args: ["version", "--json"],
      clearEnv: true,
      env: environment(),
      // The leader of a group, which can be ended as one.
      detached: true,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
  }

  /** All that it says, when it has ended well. */
  async output(): Promise<string> {
    const decoder = new TextDecoder();
    for await (const part of this.#child.stdout.values({ preventCancel: true })) {
      this.#text += decoder.decode(part, { stream: true });
      if (this.#text.length > MAX_OUTPUT) throw new Error("it talks without end");
    }
    const { code } = await this.#child.status;
    if (code !== 0) throw new Error(`it ended with code ${code}`);
    return this.#text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      Deno.kill(-this.#child.pid, "SIGKILL");
    } catch {
      // All of it has ended by itself.
    }
    await this.#child.status;
  }
}

function environment(): Record<string, string> {
  // A portable build needs to know by what it is run; compiled ones don't look at it.
  return { ...pickVariables(Deno.env.toObject(), INHERITED_VARIABLES), DENO: Deno.execPath() };
}

function parseVersionOutput(output: string): string {
  try {
    const printed: unknown = JSON.parse(output);
    const isObject = typeof printed === "object" && printed !== null;
    if (isObject && "version" in printed && typeof printed.version === "string") {
      return printed.version;
    }
  } catch {
    // It is told below.
  }
  throw new Error(`it says ${JSON.stringify(output.slice(0, 80))} instead of its version`);
}

/** An agent that can say whether it may be restarted at all. */
export interface RestartableAgent extends UpdatedAgent {
  /** @throws {Error} When a restart would not come to a good end. */
  requireRestart(health: Health, signal: AbortSignal): Promise<void>;
}

/** What an update works with. */
export interface UpdaterOptions extends TrialOptions {
  readonly agent: RestartableAgent;
  readonly downloads: Downloads;
  /** Where the newest release is described. */
  readonly url: string;
  readonly mirror: string;
  /** The version that is there. */
  readonly currentVersion: string;
  /** Which of a release's programs is for here. */
  readonly target: string;
}

/** How an update ended. */
export type UpdateOutcome = TrialOutcome | {
  readonly kind: "nothing";
  readonly release: FoundRelease;
};

/** So many intervals may pass between two accepted reports of an agent that is well. */
const INTERVALS = 3;
const LEAST_ACCEPTED_MS = 30_000;

/**
 * Goes on with an update that was cut off, else looks for a newer version and takes it.
 *
 * The caller sees to it that no two run at the same time.
 *
 * @throws {Error} When something fails; a version that starts is in its place all the same.
 */
export async function runUpdate(
  parts: UpdaterOptions,
  signal: AbortSignal,
): Promise<UpdateOutcome> {
  const { downloads, currentVersion, files, onStep } = parts;
  const trial = new TrialRun(parts);
  const resumed = await trial.resume(signal);
  if (resumed !== undefined) return resumed;
  const release = await findRelease({ ...parts, failed: trial.failed }, { downloads, signal });
  const { version: to, decision } = release;
  if (to === undefined || decision !== "newer") return { kind: "nothing", release };
  await requireHealthyAgent(parts, signal);
  const sha256 = await fetchProgram(release.files, { ...parts, signal });
  onStep("fetched", `Version ${to} is downloaded and is what the release says it is`);
  try {
    await requireVersion(to, { path: files.stagedPath, signal });
  } catch (error) {
    await files.removeTemporary();
    signal.throwIfAborted();
    // It is what the release says it is, so the next time it would be no better.
    await trial.reject(to);
    throw error;
  }
  onStep("runs", `Version ${to} starts on this machine`);
  return await trial.start({ from: currentVersion, to, sha256 }, signal);
}

async function requireVersion(
  version: string,
  { path, signal }: { path: string; signal: AbortSignal },
): Promise<void> {
  const printed = await readProgramVersion(path, { signal });
  if (printed !== version) {
    throw new Error(`Cannot use version ${version}: its program says that it is ${printed}`);
  }
}

/**
 * Nothing would show whether a new version works where the one that runs does not report; a panel
 * that is down would make every new version look broken.
 */
async function requireHealthyAgent(parts: UpdaterOptions, signal: AbortSignal): Promise<void> {
  const { agent, healthTimeoutMs = HEALTH_TIMEOUT_MS, pollIntervalMs = POLL_INTERVAL_MS } = parts;
  const health = agent.health();
  if (health?.isRunning !== true) return;
  await agent.requireRestart(health, signal);
  const end = performance.now() + healthTimeoutMs;
  while (!isHealthy(agent.health())) {
    if (performance.now() >= end) {
      throw new Error(
        "Cannot try a newer version now: the panel accepts no reports of the agent that runs, so " +
          "nothing would show whether the new one works",
      );
    }
    await delay(pollIntervalMs, { signal });
  }
}

function isHealthy(health: Health | undefined): boolean {
  if (health?.acceptedAtMs === undefined || !health.isRunning) return false;
  const agoMs = Math.abs(Date.now() - health.acceptedAtMs);
  return agoMs <= Math.max(INTERVALS * health.intervalMs, LEAST_ACCEPTED_MS);
}
