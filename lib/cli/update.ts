/**
 * The command `update`: says whether there is a newer version, or takes it.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import { runtimeFolders } from "../host/paths.ts";
import { StateFile } from "../host/state_file.ts";
import { lockFolder } from "../host/state_lock.ts";
import { isInContainerImage, type ThisProgram, thisTarget } from "../host/this_program.ts";
import {
  parseUpdateState,
  UPDATE_STATE,
  updateFolder,
  type UpdateState,
} from "../host/update_state.ts";
import { getLogger } from "../log/log.ts";
import { AgentProcess } from "../update/agent_process.ts";
import { agentService, serviceNames } from "../update/agent_service.ts";
import { Downloads } from "../update/download.ts";
import { ProgramFiles } from "../update/program_files.ts";
import { findRelease, type FoundRelease, latestReleaseUrl } from "../update/releases.ts";
import { runUpdate, type UpdateOutcome } from "../update/updater.ts";
import { knowsReleases, REPOSITORY, USER_AGENT, VERSION } from "../version.ts";

/** What `update --check` prints: a sentence, or JSON. */
export function checkText(
  release: FoundRelease,
  { currentVersion, json }: { currentVersion: string; json: boolean },
): string {
  if (json) return jsonText({ present: currentVersion, ...describe(release) });
  return `${sentence(release, currentVersion)}\n`;
}

/** What `update --now` prints when it is done: a sentence, or JSON. */
export function nowText(
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
    updated: `Updated from version ${from} to ${to}, which reports`,
    swapped: `Version ${to} has taken the place of ${from}; no agent runs that could be restarted`,
    returned: `Version ${to} did not report within a minute: ${from} is back, and ${to} is not ` +
      "tried again",
  };
  return `${sentences[kind]}\n`;
}

function describe({ version, tag, decision }: FoundRelease): Record<string, unknown> {
  return { newest: version ?? tag, verdict: decision };
}

function sentence({ version, tag, decision }: FoundRelease, currentVersion: string): string {
  switch (decision) {
    case "newer":
      return `Version ${version} is there, ${currentVersion} is here: "update --now" takes it`;
    case "not newer":
      return `Version ${currentVersion} is here, and none is newer: the newest release is ${version}`;
    case "failed before":
      return `Version ${version} is there, but has failed here before: ${currentVersion} stays`;
    case "not stable":
      return `Version ${currentVersion} is here; the newest release, ${tag}, is not a stable one`;
  }
}

function jsonText(value: Record<string, unknown>): string {
  return JSON.stringify(value, null, 2) + "\n";
}

/** What is updated, and what ends it. */
export interface UpdateOptions {
  readonly program: ThisProgram;
  readonly signal: AbortSignal;
}

/** What there is to say, and whether things are as they were wanted. */
export interface UpdateResult {
  readonly text: string;
  readonly isSuccess: boolean;
}

/**
 * Does what was asked for. Not good is a new version that had to go again.
 *
 * @throws {UsageError} When two things were asked for that don't go together.
 * @throws {Error} When it can't be found out, or can't be done.
 */
export async function update(config: Config, options: UpdateOptions): Promise<UpdateResult> {
  const { check, now } = config.update;
  if (check && now) throw new UsageError("Cannot use --check and --now together");
  return now ? await updateNow(config, options) : await checkForUpdate(config, options);
}

async function checkForUpdate(
  config: Config,
  { program, signal }: UpdateOptions,
): Promise<UpdateResult> {
  const release = await findRelease({
    ...placesOf(config),
    currentVersion: VERSION,
    failed: failedVersions(program),
  }, { downloads: createDownloads(config), signal });
  return {
    text: checkText(release, { currentVersion: VERSION, json: config.json }),
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
  const lock = lockFolder(updateFolder(path));
  if (lock === undefined) throw new Error("Cannot update: another update is under way");
  try {
    const log = getLogger("update");
    const state = openUpdateState(path);
    for (const trouble of state.read().troubles) log.warning("{trouble}", { trouble });
    const outcome = await runUpdate({
      ...places,
      currentVersion: VERSION,
      target: thisTarget(program),
      files: new ProgramFiles(path),
      state,
      agent: new AgentProcess({
        path,
        folders: runtimeFolders(config),
        service: agentService(path, serviceNames(path, config.install.serviceName)),
      }),
      downloads: createDownloads(config),
      onStep(step, words) {
        if (step === "returning" || step === "returned") log.warning("{words}", { words });
        else log.info("{words}", { words });
      },
    }, signal);
    return {
      text: nowText(outcome, { currentVersion: VERSION, json: config.json }),
      isSuccess: outcome.kind !== "returned",
    };
  } finally {
    lock.close();
  }
}

function requireUpdatable({ form }: ThisProgram): void {
  if (isInContainerImage()) {
    throw new Error(
      "Cannot update inside a container image: a newer version comes with a newer image",
    );
  }
  if (form === "source") {
    throw new Error("Cannot update a checkout of the sources: that is what git is for");
  }
}

function placesOf({ update }: Config): { url: string; mirror: string } {
  const { url, mirror } = update;
  if (!knowsReleases(update)) {
    throw new Error(
      "Cannot look for a newer version: this build does not know where releases are; " +
        "--update-url URL says it",
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

/** Whoever may not read it is told of the release all the same. */
function failedVersions({ path }: ThisProgram): readonly string[] {
  try {
    return openUpdateState(Deno.realPathSync(path)).read().value?.failed ?? [];
  } catch {
    return [];
  }
}
