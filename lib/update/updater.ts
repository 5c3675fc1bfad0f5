import { delay } from "@std/async/delay";
import type { Health } from "../host/health_file.ts";
import { askVersion } from "./ask_version.ts";
import type { Downloads } from "./downloads.ts";
import { fetchProgram } from "./fetch_program.ts";
import { findRelease, type FoundRelease } from "./find_release.ts";
import { LOOK_EVERY_MS, WATCH_MS } from "./proves_itself.ts";
import { type TrialOutcome, type TrialParts, TrialRun, type UpdatedAgent } from "./trial_run.ts";

/** An agent that can say whether it may be restarted at all. */
export interface RestartableAgent extends UpdatedAgent {
  /** @throws {Error} When a restart would not come to a good end. */
  requireRestart(health: Health, signal: AbortSignal): Promise<void>;
}

/** What an update works with. */
export interface UpdaterParts extends TrialParts {
  readonly agent: RestartableAgent;
  readonly downloads: Downloads;
  /** Where the newest release is described. */
  readonly url: string;
  readonly mirror: string;
  /** The version that is there. */
  readonly present: string;
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
export async function runUpdate(parts: UpdaterParts, signal: AbortSignal): Promise<UpdateOutcome> {
  const { downloads, present, files, tell } = parts;
  const trial = new TrialRun(parts);
  const resumed = await trial.resume(signal);
  if (resumed !== undefined) return resumed;
  const release = await findRelease({ ...parts, failed: trial.failed }, { downloads, signal });
  const { version: to, verdict } = release;
  if (to === undefined || verdict !== "newer") return { kind: "nothing", release };
  await requireWellAgent(parts, signal);
  const sha256 = await fetchProgram(release.files, { ...parts, signal });
  tell("fetched", `Version ${to} is downloaded and is what the release says it is`);
  try {
    await requireVersion(to, { path: files.fresh, signal });
  } catch (error) {
    await files.removeUnfinished();
    signal.throwIfAborted();
    // It is what the release says it is, so the next time it would be no better.
    await trial.reject(to);
    throw error;
  }
  tell("runs", `Version ${to} starts on this machine`);
  return await trial.begin({ from: present, to, sha256 }, signal);
}

async function requireVersion(
  version: string,
  { path, signal }: { path: string; signal: AbortSignal },
): Promise<void> {
  const said = await askVersion(path, { signal });
  if (said !== version) {
    throw new Error(`Cannot use version ${version}: its program says that it is ${said}`);
  }
}

/**
 * Nothing would show whether a new version works where the one that runs does not report; a panel
 * that is down would make every new version look broken.
 */
async function requireWellAgent(parts: UpdaterParts, signal: AbortSignal): Promise<void> {
  const { agent, watchMs = WATCH_MS, lookEveryMs = LOOK_EVERY_MS } = parts;
  const health = agent.health();
  if (health?.isRunning !== true) return;
  await agent.requireRestart(health, signal);
  const end = performance.now() + watchMs;
  while (!isWell(agent.health())) {
    if (performance.now() >= end) {
      throw new Error(
        "Cannot try a newer version now: the panel accepts no reports of the agent that runs, so " +
          "nothing would show whether the new one works",
      );
    }
    await delay(lookEveryMs, { signal });
  }
}

function isWell(health: Health | undefined): boolean {
  if (health?.acceptedAtMs === undefined || !health.isRunning) return false;
  const agoMs = Math.abs(Date.now() - health.acceptedAtMs);
  return agoMs <= Math.max(INTERVALS * health.intervalMs, LEAST_ACCEPTED_MS);
}
