import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { requireCredentials } from "../config/credentials.ts";
import { OPTION_ROWS } from "../config/option_table.ts";
import { UsageError } from "../config/usage_error.ts";
import { runTools } from "../host/tool_runner.ts";
import { describeError } from "../log/log.ts";
import { install, printSteps, requireKnownToken } from "./install.ts";
import { readInstallContext } from "./install_context.ts";
import { ownedBy } from "./install_plan.ts";
import { readInstallRecord } from "./install_record.ts";
import { applySteps, type Step } from "./install_step.ts";
import { recordedManager } from "./managers.ts";
import { boundedReader, type OfficialAgent, onlyOfficialAgent } from "./official_agent.ts";
import { type ImportedSettings, importSettings } from "./official_options.ts";
import {
  officialManager,
  type OfficialRecord,
  officialRecordStep,
  type OfficialService,
  readOfficialRecord,
  removeOfficialRecord,
  startOfficial,
  stopOfficial,
  UNDO_TIMEOUT_MS,
} from "./official_service.ts";
import { hasUpdateService } from "./service_files.ts";
import { servicePaths, type ServicePlan } from "./service_manager.ts";
import type { TargetSystem } from "./target_system.ts";
import { uninstall } from "./uninstall.ts";

/** Options of {@linkcode replace}. */
export interface ReplaceOptions {
  readonly signal: AbortSignal;
  /** Resolves the configuration with the imported settings below everything given now. */
  resolveWith(imported: ImportedSettings): Config;
}

/**
 * Replaces the official agent of this machine, and imports its panel, token, options and monthly
 * traffic. It is rolled back when the panel does not accept this agent.
 *
 * The official agent stays enabled until then, so that it reports again after a power loss. After an
 * earlier replacement, this agent is updated.
 *
 * @returns The reason when no report was accepted; `undefined` on success and with `--print`.
 * @throws {Error} When there is not exactly one official agent, or this agent is not installed in
 * the end; the message names the state.
 */
export async function replace(
  config: Config,
  system: TargetSystem,
  { signal, resolveWith }: ReplaceOptions,
): Promise<string | undefined> {
  const { printLine } = system;
  const paths = servicePaths(config.serviceName, system);
  const folder = system.root + paths.configFolder;
  const replaced = readOfficialRecord(folder);
  if (replaced?.isDone) {
    return await updateReplacement(replaced, config, { system, signal });
  }
  // An interrupted replacement left its record, and an incomplete configuration.
  const isInstalled = readInstallRecord(system.root + paths.record) !== undefined;
  if (replaced === undefined && isInstalled) {
    throw new Error(
      `Cannot replace the official agent: ${config.serviceName} is already installed; uninstall ` +
        "it first, or stop the official agent by hand",
    );
  }
  const official = onlyOfficialAgent(system);
  const imported = importSettings(official, boundedReader(system.root));
  const own = resolveWith(imported);
  requireReadable(official, own);
  requireCredentials(own, { verb: "install" });
  await readInstallContext(own, system, signal);
  await requireKnownToken(own, system, { signal });
  printImport(official, { imported, own, system });

  const { serviceName } = official;
  const { stop, disable } = officialManager(official, system);
  const beforeStart = (plan: ServicePlan) => trafficCopySteps(plan, { imported, own, system });
  if (config.print) {
    printSteps(stop, system, own.secrets);
    await install(own, system, { signal, beforeStart });
    printSteps(disable, system, own.secrets);
    return undefined;
  }
  const recordStep = (isDone: boolean) =>
    officialRecordStep(paths.configFolder, { ...official, isDone });
  await applySteps([recordStep(false)], system, signal);
  try {
    printLine(`Stopping the official agent (${serviceName}) …`);
    await stopOfficial(official, system, signal);
    const refusal = await install(own, system, { signal, beforeStart, isTrial: true });
    if (refusal !== undefined) throw new Error(refusal);
  } catch (error) {
    const isStopped = signal.aborted;
    printLine(isStopped ? "Interrupted." : `Not accepted: ${describeError(error)}`);
    printLine("Restoring the official agent …");
    const failure = await rollBack(config.serviceName, official, system);
    if (failure === undefined) {
      await removeOfficialRecord(folder);
      printLine(
        `The official agent (${serviceName}) is running again; everything installed in its place ` +
          "was removed.",
      );
      throw new Error(`Cannot replace ${serviceName}, which was restored and is running again`, {
        cause: error,
      });
    }
    const message = `Cannot restore ${serviceName} (${describeError(failure)}) after ` +
      `${describeError(error)}; \`komari-agent-deno uninstall --restore\` tries again`;
    // After an abort no error is printed, but the user must know that no agent is running.
    if (isStopped) printLine(message);
    throw new Error(message, { cause: failure });
  }
  await applySteps([...disable, recordStep(true)], system, signal);
  printLine(`The official agent (${serviceName}) is stopped and disabled;`);
  printLine("`komari-agent-deno uninstall --restore` restores it.");
  return undefined;
}

/**
 * The options of a service that was written by hand are to be given, since its file may have them
 * anywhere.
 *
 * @throws {UsageError} When they are not.
 */
function requireReadable({ handWritten, unitPath }: OfficialAgent, config: Config): void {
  const isGiven = config.endpoint !== "" && (config.token || config.autoDiscoveryKey) !== "";
  if (handWritten === "" || isGiven) return;
  throw new UsageError(
    `Cannot import the options of ${unitPath}: it was edited by hand (${handWritten}); give them ` +
      "yourself: install --replace -e URL --token-file FILE",
  );
}

/** Removes this agent and starts the official one; the first failure, or `undefined`. */
async function rollBack(
  serviceName: string,
  official: OfficialService,
  system: TargetSystem,
): Promise<unknown> {
  const quiet = { ...system, printLine: () => {} };
  let failure: unknown;
  try {
    // An abort ends the replacement, not the roll-back.
    const signal = AbortSignal.timeout(UNDO_TIMEOUT_MS);
    await uninstall(quiet, { serviceName, print: false, keepsOfficialRecord: true, signal });
  } catch (error) {
    failure = error;
  }
  try {
    // Its own time limit: an agent that does not stop must not keep the official one from starting.
    await startOfficial(official, system, AbortSignal.timeout(UNDO_TIMEOUT_MS));
  } catch (error) {
    failure ??= error;
  }
  return failure;
}

/** Updates this agent, and stops the official one if it was started since. */
async function updateReplacement(
  replaced: OfficialRecord,
  config: Config,
  { system, signal }: { system: TargetSystem; signal: AbortSignal },
): Promise<string | undefined> {
  system.printLine(`The official agent (${replaced.serviceName}) was replaced before.`);
  const refusal = await install(config, system, { signal });
  if (refusal === undefined && !config.print) {
    await stopOfficial(replaced, system, signal);
    await runTools(officialManager(replaced, system).disable, { tools: system.tools, signal });
  }
  return refusal;
}

/** Copies the official agent's monthly traffic, if this agent reports it. */
function trafficCopySteps(
  { stateFolder, user }: ServicePlan,
  { imported, own, system }: { imported: ImportedSettings; own: Config; system: TargetSystem },
): Step[] {
  const from = system.root + imported.trafficPath;
  if (own.monthRotate === 0 || !isFile(from)) return [];
  const owner = ownedBy(user);
  return [
    { do: "folder", path: stateFolder, mode: 0o700, ...owner },
    { do: "copy", path: `${stateFolder}/net_static.json`, from, mode: 0o600, ...owner },
  ];
}

function isFile(path: string): boolean {
  return attempt(() => Deno.statSync(path).isFile) ?? false;
}

function printImport(
  { serviceName, manager, unitPath, binary, handWritten }: OfficialAgent,
  { imported, own, system }: { imported: ImportedSettings; own: Config; system: TargetSystem },
): void {
  const { printLine } = system;
  printLine("Replacing the official agent:");
  printLine(`  Service        ${serviceName} (${manager}), ${unitPath}`);
  printLine(`  Program        ${binary}`);
  printLine(`  Panel          ${own.endpoint}`);
  printLine(`  Token          ${describeToken(own.token, imported)}`);
  const options = describeOptions(imported.given);
  if (options !== "") printLine(`  Options        ${options}`);
  if (own.monthRotate > 0 && isFile(system.root + imported.trafficPath)) {
    printLine(`  Month          ${imported.trafficPath}`);
  }
  const notes = handWritten === ""
    ? imported.notes
    : [`its own options are not imported: it was edited by hand (${handWritten})`];
  for (const note of notes) printLine(`  Note           ${note}`);
  if (imported.remoteControl && !own.remoteControl) {
    printLine("  Remote control was on and is now off; --enable-remote-control turns it on");
  }
}

function describeToken(token: string, { given }: ImportedSettings): string {
  if (token === "") return "unknown; this agent registers again";
  return token === given.get("token") ? "imported" : "given now";
}

/** All imported options but endpoint and token; values of secret ones are hidden. */
function describeOptions(given: ReadonlyMap<string, string>): string {
  return Array.from(given, ([key, text]) => {
    if (key === "endpoint" || key === "token") return "";
    return OPTION_ROWS.find((row) => row.key === key)?.secret ? key : `${key} ${text}`;
  }).filter((words) => words !== "").join(", ");
}

/**
 * Starts the replaced official agent again, and uninstalls this one.
 *
 * This agent is removed only once the official one is running.
 *
 * @throws {Error} When there is no official agent, or it does not start; this agent is started
 * again then.
 */
export async function restore(
  config: Config,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<void> {
  const { serviceName, print } = config;
  const { tools, printLine } = system;
  const paths = servicePaths(serviceName, system);
  const folder = system.root + paths.configFolder;
  const official = readOfficialRecord(folder) ?? onlyOfficialAgent(system);
  const { stop, disable, enable, restart } = officialManager(official, system);
  const record = readInstallRecord(system.root + paths.record);
  const own = record && recordedManager(record, system);
  const isUpdated = record !== undefined && hasUpdateService(record);
  // An update in progress would start it again.
  const stopCommands = [...(isUpdated ? own?.disableUpdates ?? [] : []), ...own?.stop ?? []];
  if (print) {
    printSteps([...stopCommands, ...enable, ...restart], system);
    return await uninstall(system, { serviceName, print, signal });
  }
  await runTools(stopCommands, { tools, signal });
  try {
    await startOfficial(official, system, signal);
  } catch (error) {
    if (own !== undefined) {
      // Exactly one of the two agents must run, whatever has ended the restoration.
      const startCommands = [
        ...own.restart,
        ...own.enable,
        ...(isUpdated ? own.enableUpdates : []),
      ];
      const commands = [...stop, ...disable, ...startCommands];
      await runTools(commands, { tools, signal: AbortSignal.timeout(UNDO_TIMEOUT_MS) });
    }
    throw error;
  }
  printLine(`The official agent (${official.serviceName}) is running again, and starts at boot.`);
  if (record !== undefined) await uninstall(system, { serviceName, print, signal });
  await removeOfficialRecord(folder);
}
