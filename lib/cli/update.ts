/**
 * The command `update`: checks for a newer version, or installs it.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import { runtimeFolders } from "../state/paths.ts";
import { StateFile } from "../state/state_file.ts";
import { FolderLock } from "../state/state_lock.ts";
import {
  isInContainerImage,
  type ThisProgram,
  thisProgram,
  thisTarget,
} from "../host/this_program.ts";
import {
  parseUpdateState,
  UPDATE_STATE,
  updateFolder,
  type UpdateState,
} from "../state/update_state.ts";
import { getLogger } from "../log/log.ts";
import { AgentProcess } from "../update/agent_process.ts";
import { agentService, serviceNames } from "../update/agent_service.ts";
import { Downloads } from "../update/download.ts";
import { ProgramFiles } from "../update/program_files.ts";
import { findRelease, type FoundRelease, latestReleaseUrl } from "../update/releases.ts";
import { performUpdate, type UpdateOutcome } from "../update/updater.ts";
import { knowsReleases, releaseKey, REPOSITORY, USER_AGENT, VERSION } from "../version.ts";
import type { CommandContext } from "./command.ts";
import { jsonText, logToStandardError } from "./output.ts";

/** The output of `update --check`: a sentence, or JSON. */
export function updateCheckText(
  release: FoundRelease,
  { currentVersion, json }: { currentVersion: string; json: boolean },
): string {
  if (json) return jsonText({ present: currentVersion, ...describe(release) });
  return `${sentence(release, currentVersion)}\n`;
}

/** The output of `update --now`: a sentence, or JSON. */
export function updateResultText(
  outcome: UpdateOutcome,
  { currentVersion, json }: { currentVersion: string; json: boolean },
): string {
  if (outcome.kind === "nothing") {
    const { kind, release } = outcome;
    if (json) return jsonText({ outcome: kind, present: currentVersion, ...describe(release) });
    return `${sentence(release, currentVersion)}\n`;
  }
  const { kind, from, to } = outcome;
  if (json) return jsonText({ outcome: kind, from, to });
  const sentences = {
    "updated": `Updated from version ${from} to ${to}, which reports`,
    "installed": `Version ${to} replaced ${from}; no agent was running`,
    "rolled back":
      `Version ${to} did not report within a minute: ${from} is installed again, and ` +
      `${to} will not be tried again`,
  };
  return `${sentences[kind]}\n`;
}

function describe({ version, tag, decision }: FoundRelease): Record<string, unknown> {
  return { newest: version ?? tag, verdict: decision };
}

function sentence({ version, tag, decision }: FoundRelease, currentVersion: string): string {
  switch (decision) {
    case "newer":
      return `Version ${version} is available, ${currentVersion} is installed: "update --now" installs it`;
    case "not newer":
      return `Version ${currentVersion} is up to date: the latest release is ${version}`;
    case "failed before":
      return `Version ${version} is available, but failed on this machine before: ${currentVersion} stays`;
    case "not stable":
      return `Version ${currentVersion} is installed; the latest release, ${tag}, is not stable`;
  }
}

/** The program to update. */
export interface UpdateOptions {
  readonly program: ThisProgram;
  readonly signal: AbortSignal;
}

/** The output, and whether the exit code is 0. */
export interface UpdateResult {
  readonly text: string;
  readonly isSuccess: boolean;
}

/** Checks for a newer version or installs it; the exit code is 1 if it was rolled back. */
export async function runUpdate(config: Config, context: CommandContext): Promise<number> {
  logToStandardError({ ...config, notices: [] }, config.secrets);
  const { signal } = context;
  const { text, isSuccess } = await updateProgram(config, { program: thisProgram(), signal });
  context.print(text);
  return isSuccess ? 0 : 1;
}

/**
 * Checks for a newer version of a program, or installs it. It does not succeed when a new version
 * was rolled back.
 *
 * @throws {UsageError} When options contradict each other.
 * @throws {Error} When the check or the update fails.
 */
export async function updateProgram(config: Config, options: UpdateOptions): Promise<UpdateResult> {
  const { check, now } = config;
  if (check && now) throw new UsageError("Cannot use --check and --now together");
  return now ? await updateNow(config, options) : await checkForUpdate(config, options);
}

/** The newest release. @throws {Error} When it can't be looked up. */
export async function findUpdate(
  config: Config,
  { program, signal }: UpdateOptions,
): Promise<FoundRelease> {
  return await findRelease({
    ...placesOf(config),
    currentVersion: VERSION,
    failed: failedVersions(program),
  }, { downloads: createDownloads(config), signal });
}

async function checkForUpdate(
  config: Config,
  { program, signal }: UpdateOptions,
): Promise<UpdateResult> {
  const release = await findUpdate(config, { program, signal });
  return {
    text: updateCheckText(release, { currentVersion: VERSION, json: config.json }),
    isSuccess: true,
  };
}

async function updateNow(
  config: Config,
  { program, signal }: UpdateOptions,
): Promise<UpdateResult> {
  requireUpdatable(program);
  const path = await Deno.realPath(program.path);
  const places = placesOf(config);
  const publicKey = releaseKey(config);
  if (publicKey === "") {
    throw new Error(
      "Cannot update: this build has no key to verify releases with; use --update-url URL " +
        "--update-key KEY",
    );
  }
  const lock = FolderLock.open(updateFolder(path));
  if (!lock.tryLock()) throw new Error("Cannot update: another update is in progress");
  try {
    const log = getLogger("update");
    const state = openUpdateState(path);
    for (const problem of (await state.open()).problems) log.warning("{problem}", { problem });
    const outcome = await performUpdate({
      ...places,
      publicKey,
      currentVersion: VERSION,
      target: thisTarget(program),
      files: new ProgramFiles(path),
      state,
      agent: new AgentProcess({
        path,
        folders: runtimeFolders(config),
        service: agentService(path, serviceNames(path, config.serviceName)),
      }),
      downloads: createDownloads(config),
      onStep(step, words) {
        if (step === "rolling back" || step === "rolled back") log.warning("{words}", { words });
        else log.info("{words}", { words });
      },
    }, signal);
    return {
      text: updateResultText(outcome, { currentVersion: VERSION, json: config.json }),
      isSuccess: outcome.kind !== "rolled back",
    };
  } finally {
    lock[Symbol.dispose]();
  }
}

function requireUpdatable({ form }: ThisProgram): void {
  if (isInContainerImage()) {
    throw new Error(
      "Cannot update in a container: use a newer image",
    );
  }
  if (form === "source") {
    throw new Error("Cannot update sources: use git");
  }
}

function placesOf(config: Config): { url: string; mirror: string } {
  const { updateUrl: url, mirror } = config;
  if (!knowsReleases(config)) {
    throw new Error(
      "Cannot check for a newer version: this build has no release address; use --update-url URL",
    );
  }
  return { url: url === "" ? latestReleaseUrl(REPOSITORY) : url, mirror };
}

function createDownloads({ proxies, caCerts }: Config): Downloads {
  return new Downloads({ userAgent: USER_AGENT, proxies, caCerts });
}

function openUpdateState(path: string): StateFile<UpdateState> {
  return new StateFile(updateFolder(path), { name: UPDATE_STATE, parse: parseUpdateState });
}

/** Users who can't read the state still get an answer. */
function failedVersions({ path }: ThisProgram): readonly string[] {
  try {
    return openUpdateState(Deno.realPathSync(path)).read().value?.failed ?? [];
  } catch {
    return [];
  }
}
