/**
 * The command `update`: says whether there is a newer version, or takes it.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { knowsReleases } from "../config/knows_releases.ts";
import { UsageError } from "../config/usage_error.ts";
import { runtimeFolders } from "../host/runtime_folders.ts";
import { StateFile } from "../host/state_file.ts";
import { lockFolder } from "../host/state_lock.ts";
import { isInContainerImage, type ThisProgram, thisTarget } from "../host/this_program.ts";
import { UPDATE_STATE, updateFolder } from "../host/update_folder.ts";
import { getLogger } from "../log.ts";
import { parseUpdateState, type UpdateState } from "../parse/update_state.ts";
import { REPOSITORY, USER_AGENT, VERSION } from "../version.ts";
import { AgentProcess } from "./agent_process.ts";
import { agentService, serviceNames } from "./agent_service.ts";
import { Downloads } from "./downloads.ts";
import { findRelease, newestReleaseUrl } from "./find_release.ts";
import { ProgramFiles } from "./program_files.ts";
import { checkText, nowText } from "./update_text.ts";
import { runUpdate } from "./updater.ts";

/** What is updated, and what ends it. */
export interface UpdateOptions {
  readonly program: ThisProgram;
  readonly signal: AbortSignal;
}

/** What there is to say, and whether things are as they were wanted. */
export interface UpdateResult {
  readonly text: string;
  readonly isGood: boolean;
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
  return now ? await updateNow(config, options) : await checkOnly(config, options);
}

async function checkOnly(
  config: Config,
  { program, signal }: UpdateOptions,
): Promise<UpdateResult> {
  const release = await findRelease({
    ...placesOf(config),
    present: VERSION,
    failed: failedBefore(program),
  }, { downloads: downloadsOf(config), signal });
  return { text: checkText(release, { present: VERSION, json: config.json }), isGood: true };
}

async function updateNow(
  config: Config,
  { program, signal }: UpdateOptions,
): Promise<UpdateResult> {
  requireReplaceable(program);
  const path = await Deno.realPath(program.path);
  const places = placesOf(config);
  const lock = lockFolder(updateFolder(path));
  if (lock === undefined) throw new Error("Cannot update: another update is under way");
  try {
    const log = getLogger("update");
    const state = stateOf(path);
    for (const trouble of state.read().troubles) log.warning("{trouble}", { trouble });
    const outcome = await runUpdate({
      ...places,
      present: VERSION,
      target: thisTarget(program),
      files: new ProgramFiles(path),
      state,
      agent: new AgentProcess({
        path,
        folders: runtimeFolders(config),
        service: agentService(path, serviceNames(path, config.install.serviceName)),
      }),
      downloads: downloadsOf(config),
      tell(step, words) {
        if (step === "returning" || step === "returned") log.warning("{words}", { words });
        else log.info("{words}", { words });
      },
    }, signal);
    return {
      text: nowText(outcome, { present: VERSION, json: config.json }),
      isGood: outcome.kind !== "returned",
    };
  } finally {
    lock.close();
  }
}

function requireReplaceable({ form }: ThisProgram): void {
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
  return { url: url === "" ? newestReleaseUrl(REPOSITORY) : url, mirror };
}

function downloadsOf({ proxies, caCerts }: Config): Downloads {
  return new Downloads({ userAgent: USER_AGENT, proxies, caCerts });
}

function stateOf(path: string): StateFile<UpdateState> {
  return new StateFile(updateFolder(path), { name: UPDATE_STATE, parse: parseUpdateState });
}

/** Whoever may not read it is told of the release all the same. */
function failedBefore({ path }: ThisProgram): readonly string[] {
  try {
    return stateOf(Deno.realPathSync(path)).read().value?.failed ?? [];
  } catch {
    return [];
  }
}
