/**
 * The command `update`: checks for a newer version, or installs it.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
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
  rejectedVersions,
  UPDATE_STATE,
  updateFolder,
  type UpdateState,
} from "../state/update_state.ts";
import { getLogger } from "../log/log.ts";
import { currentSystem } from "../service/target_system.ts";
import { AgentProcess, agentService } from "../update/agent_process.ts";
import { Downloads } from "../update/download.ts";
import { ProgramFiles } from "../update/program_files.ts";
import { findRelease, type FoundRelease, type ReleaseQuery } from "../update/releases.ts";
import { STEP_LINES } from "../update/trial.ts";
import { isNewerVersion } from "../parse/version_order.ts";
import { performUpdate, type UpdateOutcome } from "../update/updater.ts";
import { knowsReleases, releaseKey, REPOSITORY, VERSION } from "../version.ts";
import type { CommandContext } from "./command.ts";
import { jsonText, logToStandardError } from "./output.ts";

/** Checks for a newer version of this program, or installs it. */
export async function runUpdate(config: Config, context: CommandContext): Promise<number> {
  logToStandardError({ ...config, notices: [] }, config.secrets, { write: context.printError });
  return await updateProgram(config, thisProgram(), context);
}

/**
 * Checks for a newer version of a program, or installs it; the exit code is 1 if a new version was
 * rolled back.
 *
 * @throws {UsageError} When options contradict each other.
 * @throws {Error} When the check or the update fails.
 */
export async function updateProgram(
  config: Config,
  program: ThisProgram,
  { print, signal, env }: CommandContext,
): Promise<number> {
  const { check, now, json } = config;
  if (check && now) throw new UsageError("Cannot use --check and --now together");
  if (now) {
    const outcome = await updateNow(config, program, { env, signal });
    print(resultText(outcome, config));
    return outcome.kind === "rolled back" ? 1 : 0;
  }
  const release = await findUpdate(config, program, signal);
  print(json ? jsonText(describe(release)) : sentence(release));
  return 0;
}

/** The newest release. @throws {Error} When it can't be looked up. */
export async function findUpdate(
  config: Config,
  program: ThisProgram,
  signal: AbortSignal,
): Promise<FoundRelease> {
  const query = { ...releaseSource(config), failed: failedVersions(program) };
  return await findRelease(query, { downloads: new Downloads(config), signal });
}

async function updateNow(
  config: Config,
  program: ThisProgram,
  { env, signal }: Pick<CommandContext, "env" | "signal">,
): Promise<UpdateOutcome> {
  requireUpdatable(program);
  const path = await Deno.realPath(program.path);
  const source = releaseSource(config);
  const system = currentSystem({ env, printLine: () => {} });
  const service = agentService(path, config.serviceName, system);
  if (service?.pinned) {
    throw new Error(
      `Cannot update: the service is pinned to version ${service.pinned}; \`install --unset pin\` ` +
        "ends that",
    );
  }
  const lock = FolderLock.open(updateFolder(path));
  using _lock = lock;
  if (!lock.tryLock()) throw new Error("Cannot update: another update is in progress");
  const log = getLogger("update");
  const state = openUpdateState(path);
  for (const problem of (await state.open()).problems) log.warning("{problem}", { problem });
  return await performUpdate({
    ...source,
    target: thisTarget(program),
    files: new ProgramFiles(path),
    state,
    agent: new AgentProcess({ folders: runtimeFolders(config), service, tools: system.tools }),
    downloads: new Downloads(config),
    onStep(step, fields) {
      const isBad = step === "rolling back" || step === "rolled back";
      log[isBad ? "warning" : "info"](STEP_LINES[step], { ...fields });
    },
  }, signal);
}

/** The output of `update --now`: a sentence, or JSON. */
function resultText(outcome: UpdateOutcome, { json }: Config): string {
  if (outcome.kind === "nothing") {
    const { kind, release } = outcome;
    return json ? jsonText({ outcome: kind, ...describe(release) }) : sentence(release);
  }
  const { kind, from, to } = outcome;
  if (json) return jsonText({ outcome: kind, from, to });
  const sentences = {
    "updated": `Updated from version ${from} to ${to}, which reports`,
    "installed": `Version ${to} replaced ${from}; no agent was running`,
    "rolled back":
      `Version ${to} did not report within a minute: ${from} is installed again, and ` +
      `${to} will not be tried again within a week`,
  };
  const isOlder = kind !== "rolled back" && isNewerVersion(from, to);
  return `${sentences[kind]}\n${isOlder ? `${OLDER_STAYS}\n` : ""}`;
}

const OLDER_STAYS = "Automatic updates go on to newer versions; `install --pin` keeps this one";

function describe({ version, decision }: FoundRelease): Record<string, unknown> {
  return { present: VERSION, newest: version, verdict: decision };
}

function sentence({ version, decision }: FoundRelease): string {
  const sentences = {
    "older": `Version ${version} is available, and older than ${VERSION}: ` +
      `"update --now --install-version ${version}" installs it`,
    "newer": `Version ${version} is available, ${VERSION} is installed: "update --now" installs it`,
    "not newer": `Version ${VERSION} is up to date: the latest release is ${version}`,
    "failed before":
      `Version ${version} is available, but failed on this machine within a week: ${VERSION} stays`,
    "not stable": `Version ${VERSION} is installed; the latest release, ${version}, is not stable`,
  };
  return `${sentences[decision]}\n`;
}

function requireUpdatable(program: ThisProgram): void {
  if (isInContainerImage()) {
    throw new Error("Cannot update in a container: use a newer image");
  }
  if (program.form === "source") {
    throw new Error("Cannot update sources: use git");
  }
}

function releaseSource(config: Config): Omit<ReleaseQuery, "failed"> {
  const { updateUrl: url, mirror, installVersion } = config;
  if (!knowsReleases(config)) {
    throw new Error(
      "Cannot check for a newer version: this build has no release address; use --update-url URL",
    );
  }
  const publicKey = releaseKey(config);
  if (publicKey === "") {
    throw new Error(
      "Cannot update: this build has no key to verify releases with; use --update-url URL " +
        "--update-key KEY",
    );
  }
  return {
    ...{ url, mirror, repository: REPOSITORY, publicKey, currentVersion: VERSION },
    wanted: installVersion === "" ? undefined : installVersion,
  };
}

function openUpdateState(path: string): StateFile<UpdateState> {
  return new StateFile(updateFolder(path), { name: UPDATE_STATE, parse: parseUpdateState });
}

/** Users who can't read the state still get an answer. */
function failedVersions({ path }: ThisProgram): readonly string[] {
  const state = attempt(() => openUpdateState(Deno.realPathSync(path)).read());
  return rejectedVersions(state?.value?.failed ?? [], Date.now());
}
