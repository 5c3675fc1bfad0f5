import { delay } from "@std/async/delay";
import { readProgramVersion } from "../host/program_version.ts";
import { isReporting } from "../state/health_reader.ts";
import { PROGRAM } from "../version.ts";
import { findSha256, signedSize } from "./checksums.ts";
import type { Downloads } from "./download.ts";
import { fileSha256 } from "./program_files.ts";
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
export interface UpdaterOptions extends TrialOptions, Omit<ReleaseQuery, "failed"> {
  /** The build for this machine, such as `linux-amd64`. */
  readonly target: string;
  readonly downloads: Downloads;
}

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
  if (decision !== "newer" && decision !== "older") return { kind: "nothing", release };
  await requireHealthyAgent(parts.agent, signal);
  const sha256 = await fetchProgram(release, parts, signal);
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
  agent.requireRestart(health);
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

/** Several times the size of a build, where the release does not state it. */
const MAX_PROGRAM_BYTES = 512 * 1024 * 1024;

/**
 * Downloads a release's program for a target beside the present one, and returns its SHA-256.
 *
 * The file is synced and verified, and has not been run: its SHA-256 is in the signed list, and so is
 * its size where the list names it. After a failure nothing is left of it.
 *
 * @throws {Error} When it is missing, can't be downloaded or written, or fails verification.
 */
async function fetchProgram(
  { sums, urlOf }: FoundRelease,
  { target, files, downloads }: UpdaterOptions,
  signal: AbortSignal,
): Promise<string> {
  const name = `${PROGRAM}-${target}`;
  const sha256 = findSha256(sums, name);
  if (sha256 === undefined) {
    throw new Error(`Cannot update: the release has no program for ${target}`);
  }
  const maxBytes = signedSize(sums, name) ?? MAX_PROGRAM_BYTES;
  try {
    {
      using file = await files.createStaged();
      await downloads.file(urlOf(name), { file, maxBytes, signal });
    }
    if (await fileSha256(files.stagedPath) !== sha256) {
      throw new Error("Cannot update: the downloaded file has the wrong SHA-256");
    }
    await files.finishStaged();
    return sha256;
  } catch (error) {
    await files.removeTemporary();
    throw error;
  }
}
