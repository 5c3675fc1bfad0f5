import { delay } from "@std/async/delay";
import { isReporting } from "../state/health_reader.ts";
import { readProgramVersion } from "../host/program_version.ts";
import { fetchProgram, type WantedProgram } from "./fetch_program.ts";
import { findRelease, type FoundRelease, type ReleaseQuery } from "./releases.ts";
import {
  HEALTH_TIMEOUT_MS,
  POLL_INTERVAL_MS,
  type TrialOptions,
  type TrialOutcome,
  TrialRun,
  type UpdatedAgent,
} from "./trial.ts";

/** Options of {@linkcode performUpdate}: where releases are, which program is wanted, and its trial. */
export type UpdaterOptions =
  & TrialOptions
  & Omit<ReleaseQuery, "failed">
  & Omit<WantedProgram, "version" | "signal">;

/** The outcome of an update. */
export type UpdateOutcome = TrialOutcome | {
  readonly kind: "nothing";
  readonly release: FoundRelease;
};

/**
 * Resumes an interrupted update, or installs a newer version if there is one, or the one wanted.
 *
 * The caller makes sure that no two updates run at once.
 *
 * @throws {Error} When the update fails; the program in place starts in any case.
 */
export async function performUpdate(
  parts: UpdaterOptions,
  signal: AbortSignal,
): Promise<UpdateOutcome> {
  const { downloads, currentVersion, files, onStep } = parts;
  const trial = new TrialRun(parts);
  const resumed = await trial.resume(signal);
  if (resumed !== undefined) return resumed;
  const release = await findRelease({ ...parts, failed: trial.failed }, { downloads, signal });
  const { version: to, decision } = release;
  if (to === undefined || (decision !== "newer" && decision !== "older")) {
    return { kind: "nothing", release };
  }
  await requireHealthyAgent(parts.agent, signal);
  const sha256 = await fetchProgram(release.files, { ...parts, version: to, signal });
  const versions = { from: currentVersion, to };
  if (decision === "older") onStep("older", versions);
  onStep("fetched", versions);
  let printed: string;
  try {
    printed = await readProgramVersion(files.stagedPath, { signal });
  } catch (error) {
    await files.removeTemporary();
    signal.throwIfAborted();
    // The file is authentic, so another download would not help.
    await trial.reject(to);
    throw error;
  }
  if (printed !== to) {
    await files.removeTemporary();
    // The label is wrong, by the server or a mirror: that says nothing about the version that it names.
    throw new Error(`Cannot install version ${to}: its program reports version ${printed}`);
  }
  onStep("runs", versions);
  return await trial.start({ ...versions, sha256 }, signal);
}

/**
 * If the running agent does not report, a new version could not be judged: a panel that is down
 * would make every version look broken.
 */
async function requireHealthyAgent(agent: UpdatedAgent, signal: AbortSignal): Promise<void> {
  const health = agent.health();
  if (health?.isRunning !== true) return;
  await agent.requireRestart(health, signal);
  const end = performance.now() + HEALTH_TIMEOUT_MS;
  while (!isReporting(agent.health())) {
    if (performance.now() >= end) {
      throw new Error(
        "Cannot update now: the panel accepts no reports of the running agent, so a new version " +
          "could not be checked",
      );
    }
    await delay(POLL_INTERVAL_MS, { signal });
  }
}
