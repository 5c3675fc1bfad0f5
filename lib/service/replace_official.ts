import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import { runTools } from "../host/tool_runner.ts";
import { describeError } from "../log/log.ts";
import { install, type InstallOptions, printSteps, requireKnownToken } from "./install.ts";
import { changeablePart } from "./install_context.ts";
import { ownedBy, planInstall } from "./install_plan.ts";
import { readInstallRecord } from "./install_record.ts";
import { applySteps, type Step } from "./install_step.ts";
import { recordedManager } from "./managers.ts";
import { type OfficialAgent, onlyOfficialAgent, trustedReader } from "./official_agent.ts";
import { type ImportedSettings, importSettings } from "./official_options.ts";
import {
  officialManager,
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
export interface ReplaceOptions extends Pick<InstallOptions, "signal" | "secrets"> {
  /** Resolves the configuration with the imported settings below everything given now. */
  resolveWith(imported: ImportedSettings): Config;
}

/**
 * Replaces the official agent of this machine, and imports its panel, token, options and monthly
 * traffic. It is rolled back when the panel does not accept this agent.
 *
 * The official agent stays enabled until then, so that it reports again after a power loss. After an
 * earlier replacement it is an installation like any other.
 *
 * @returns The reason when no report was accepted; `undefined` on success and with `--print`.
 * @throws {Error} When there is not exactly one official agent, or this agent is not installed in
 * the end; the message names the state.
 */
export async function replace(
  config: Config,
  system: TargetSystem,
  { signal, secrets, resolveWith }: ReplaceOptions,
): Promise<string | undefined> {
  const { printLine } = system;
  const paths = servicePaths(config.serviceName, system);
  const folder = system.root + paths.configFolder;
  const replaced = readOfficialRecord(folder);
  if (replaced?.isDone) return await install(config, system, { signal, secrets });
  // An interrupted replacement left its record, and an incomplete configuration.
  const isInstalled = readInstallRecord(system.root + paths.record) !== undefined;
  if (replaced === undefined && isInstalled) {
    throw new Error(
      `Cannot replace the official agent: ${config.serviceName} is already installed; uninstall ` +
        "it first, or stop the official agent by hand",
    );
  }
  const official = onlyOfficialAgent(system);
  const imported = importSettings(official, trustedReader(system.root));
  const own = resolveWith(imported);
  const isGiven = own.endpoint !== "" && (own.token || own.autoDiscoveryKey) !== "";
  if (imported.unread !== "" && !isGiven) {
    throw new UsageError(
      `Cannot import the options of ${official.unitPath}: ${imported.unread}; give them yourself: ` +
        "install --replace -e URL --token-file FILE",
    );
  }
  await planInstall(own, system, signal);
  await requireKnownToken(own, system, signal);
  printImport(official, { imported, own, system });

  const { serviceName } = official;
  const { stop, disable } = officialManager(official, system);
  const beforeStart = (plan: ServicePlan) => trafficCopySteps(plan, { imported, own, system });
  if (config.print) {
    printSteps(stop, system, own.secrets);
    await install(own, system, { signal, secrets, beforeStart });
    printSteps(disable, system, own.secrets);
    return undefined;
  }
  const recordStep = (isDone: boolean) =>
    officialRecordStep(paths.configFolder, { ...official, isDone });
  await applySteps([recordStep(false)], system, signal);
  try {
    printLine(`Stopping the official agent (${serviceName}) …`);
    await stopOfficial(official, system, signal);
    const refusal = await install(own, system, { signal, secrets, beforeStart, isTrial: true });
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

/** Copies the official agent's monthly traffic, if this agent reports it. */
function trafficCopySteps(
  { stateFolder, user }: ServicePlan,
  { imported, own, system }: { imported: ImportedSettings; own: Config; system: TargetSystem },
): Step[] {
  const { from } = officialTraffic(system.root + imported.trafficPath, own);
  if (from === undefined) return [];
  const owner = ownedBy(user);
  return [
    { do: "folder", path: stateFolder, mode: 0o700, ...owner },
    { do: "copy", path: `${stateFolder}/net_static.json`, from, mode: 0o600, ...owner },
  ];
}

/** The file with it, or why that is not imported: who can change it can put a link to any file there. */
function officialTraffic(path: string, { monthRotate }: Config): { from?: string; note?: string } {
  const from = attempt(() => Deno.realPathSync(path));
  if (monthRotate === 0 || from === undefined || !Deno.statSync(from).isFile) return {};
  const part = changeablePart(path);
  return part ? { note: `its traffic is not imported: others can change ${part}` } : { from };
}

function printImport(
  { serviceName, manager, unitPath }: OfficialAgent,
  { imported, own, system }: { imported: ImportedSettings; own: Config; system: TargetSystem },
): void {
  const { given, trafficPath, unread } = imported;
  const { from, note } = officialTraffic(system.root + imported.trafficPath, own);
  const imports = [...given.keys(), ...(from === undefined ? [] : [trafficPath])];
  const ofOptions = unread === "" ? undefined : `its own options are not imported: ${unread}`;
  const lines = [
    "Replacing the official agent:",
    `  Service        ${serviceName} (${manager}), ${unitPath}`,
    imports.length > 0 && `  Options        ${imports.join(", ")}`,
    ...[ofOptions, note].map((it) => it !== undefined && `  Note           ${it}`),
    imported.remoteControl && !own.remoteControl &&
    "  Remote control was on and is now off; --enable-remote-control turns it on",
  ];
  for (const line of lines) if (line !== false) system.printLine(line);
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
