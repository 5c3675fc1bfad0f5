import type { Config } from "../config/config.ts";
import { requireCredentials } from "../config/credentials.ts";
import type { Option } from "../config/option.ts";
import { OPTIONS } from "../config/option_table.ts";
import { describeError } from "../log/log.ts";
import { install, type InstallOptions, printSteps, requireKnownToken } from "./install.ts";
import { readInstallContext } from "./install_context.ts";
import { readInstallRecord } from "./install_record.ts";
import { commandStep, type Step } from "./install_step.ts";
import { detectManager } from "./managers.ts";
import { boundedReader, type OfficialAgent, onlyOfficialAgent } from "./official_agent.ts";
import {
  type OfficialRecord,
  readOfficialRecord,
  removeOfficialRecord,
  writeOfficialRecord,
} from "./official_record.ts";
import { type ImportedSettings, importSettings } from "./official_options.ts";
import { OfficialService, type OfficialServiceOptions } from "./official_service.ts";
import type { ServicePlan } from "./service_manager.ts";
import { servicePaths } from "./service_paths.ts";
import { scopeOf, type TargetSystem } from "./target_system.ts";
import { uninstall } from "./uninstall.ts";

/** Options of {@linkcode replaceOfficial}. */
export interface ReplacementOptions {
  readonly official: Omit<OfficialRecord, "isDone">;
  readonly officialService: Pick<OfficialService, "stop" | "disable" | "start">;
  /** The folder of the record of the replaced agent. */
  readonly folder: string;
  /** Installs and starts this agent, and waits; returns the reason when no report was accepted. */
  install(signal: AbortSignal): Promise<string | undefined>;
  /** Removes everything that `install` created. */
  uninstall(signal: AbortSignal): Promise<void>;
  /** Prints a line of progress. */
  printLine(line: string): void;
  /** Time limit of each step of the roll-back, in ms; 90 s by default. */
  readonly undoTimeoutMs?: number;
}

const UNDO_TIMEOUT_MS = 90_000;

/**
 * Replaces the official agent, and rolls back when the panel does not accept this one.
 *
 * The official agent stays enabled until then, so that it reports again after a power loss.
 *
 * @throws {Error} When this agent is not installed in the end; the message names the state.
 */
export async function replaceOfficial(
  parts: ReplacementOptions,
  signal: AbortSignal,
): Promise<void> {
  const { official, officialService, folder, printLine } = parts;
  const { serviceName } = official;
  writeOfficialRecord(folder, { ...official, isDone: false });
  try {
    printLine(`Stopping the official agent (${serviceName}) …`);
    await officialService.stop(signal);
    const refusal = await parts.install(signal);
    if (refusal !== undefined) throw new Error(refusal);
  } catch (error) {
    printLine(signal.aborted ? "Interrupted." : `Not accepted: ${describeError(error)}`);
    await undo(parts, { reason: error, isStopped: signal.aborted });
    throw new Error(
      `Cannot replace ${serviceName}, which was restored and is running again`,
      { cause: error },
    );
  }
  await officialService.disable(signal);
  writeOfficialRecord(folder, { ...official, isDone: true });
  printLine(`The official agent (${serviceName}) is stopped and disabled;`);
  printLine("`komari-agent-deno uninstall --restore` restores it.");
}

/**
 * @throws {Error} When the official agent could not be started; the message names the command to
 * retry.
 */
async function undo(
  parts: ReplacementOptions,
  { reason, isStopped }: { reason: unknown; isStopped: boolean },
): Promise<void> {
  const { official, officialService, folder, printLine, undoTimeoutMs = UNDO_TIMEOUT_MS } = parts;
  // An abort ends the replacement, not the roll-back.
  printLine("Restoring the official agent …");
  let failure: unknown;
  try {
    await parts.uninstall(AbortSignal.timeout(undoTimeoutMs));
  } catch (error) {
    failure = error;
  }
  try {
    // Its own time limit: an agent that does not stop must not keep the official one from starting.
    await officialService.start(AbortSignal.timeout(undoTimeoutMs));
  } catch (error) {
    failure ??= error;
  }
  if (failure === undefined) {
    removeOfficialRecord(folder);
    return printLine(
      `The official agent (${official.serviceName}) is running again; everything installed in its ` +
        "place was removed.",
    );
  }
  const message = `Cannot restore ${official.serviceName} (${describeError(failure)}) after ` +
    `${describeError(reason)}; \`komari-agent-deno uninstall --restore\` tries again`;
  // After an abort no error is printed, but the user must know that no agent is running.
  if (isStopped) printLine(message);
  throw new Error(message, { cause: failure });
}

/** Options of {@linkcode replace}. */
export interface ReplaceOptions extends Omit<InstallOptions, "beforeStart" | "isTrial"> {
  /** Resolves the configuration with the imported settings below everything given now. */
  resolveWith(imported: Pick<ImportedSettings, "given" | "proxies">): Config;
  readonly timing?: OfficialServiceOptions["timing"];
}

/**
 * Replaces the official agent of this machine, and imports its panel, token, options and monthly
 * traffic.
 *
 * After an earlier replacement, this agent is updated.
 *
 * @returns The reason when no report was accepted; `undefined` on success and with `--print`.
 * @throws {Error} When there is not exactly one official agent, or this agent is not installed in
 * the end.
 */
export async function replace(
  config: Config,
  system: TargetSystem,
  options: ReplaceOptions,
): Promise<string | undefined> {
  const { serviceName, print } = config;
  const scope = scopeOf(system);
  const paths = servicePaths(serviceName, { ...system, scope });
  const folder = system.root + paths.configFolder;
  const note = readOfficialRecord(folder);
  if (note?.isDone) return await updateReplacement(note, { config, system, options });
  // An interrupted replacement left its record, and an incomplete configuration.
  if (note === undefined && readInstallRecord(system.root + paths.record) !== undefined) {
    throw new Error(
      `Cannot replace the official agent: ${serviceName} is already installed; uninstall it ` +
        "first, or stop the official agent by hand",
    );
  }
  const official = onlyOfficialAgent({ ...system, kind: detectManager(system), scope });
  const imported = importSettings(official, boundedReader(system.root));
  const own = options.resolveWith(imported);
  requireCredentials(own, { verb: "install" });
  await readInstallContext(own, system, options.signal);
  await requireKnownToken(own, system, options.signal);
  printImport(official, { imported, own, system });

  const officialService = new OfficialService(official, { ...system, ...pacing(options) });
  const beforeStart = (service: ServicePlan) =>
    trafficCopySteps(service, { imported, own, system });
  if (print) {
    printSteps(officialService.stopCommands.map(commandStep), { system, secrets: own.secrets });
    await install(own, system, { ...options, beforeStart });
    printSteps(officialService.disableCommands.map(commandStep), { system, secrets: own.secrets });
    return undefined;
  }
  await replaceOfficial({
    official,
    officialService,
    folder,
    install: (signal) => install(own, system, { ...options, signal, beforeStart, isTrial: true }),
    uninstall: (signal) => {
      const quiet = { ...system, printLine: () => {} };
      return uninstall(quiet, { serviceName, print: false, keepsOfficialRecord: true, signal });
    },
    printLine: system.printLine,
  }, options.signal);
  return undefined;
}

/** Updates this agent, and stops the official one if it was started since. */
async function updateReplacement(
  note: OfficialRecord,
  { config, system, options }: { config: Config; system: TargetSystem; options: ReplaceOptions },
): Promise<string | undefined> {
  system.printLine(`The official agent (${note.serviceName}) was replaced before.`);
  const refusal = await install(config, system, options);
  if (refusal === undefined && !config.print) {
    const officialService = new OfficialService(note, { ...system, ...pacing(options) });
    await officialService.stop(options.signal);
    await officialService.disable(options.signal);
  }
  return refusal;
}

function pacing({ timing }: ReplaceOptions): Pick<OfficialServiceOptions, "timing"> {
  return timing === undefined ? {} : { timing };
}

/** Copies the official agent's monthly traffic, if this agent reports it. */
function trafficCopySteps(
  { stateFolder, user }: ServicePlan,
  { imported, own, system }: { imported: ImportedSettings; own: Config; system: TargetSystem },
): Step[] {
  const from = system.root + imported.trafficPath;
  if (own.monthRotate === 0 || !isFile(from)) return [];
  const owner = user === "" ? {} : { owner: user };
  return [
    { do: "folder", path: stateFolder, mode: 0o700, ...owner },
    { do: "copy", path: `${stateFolder}/net_static.json`, from, mode: 0o600, ...owner },
  ];
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function printImport(
  { serviceName, manager, unitPath, binary }: OfficialAgent,
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
  const proxies = Object.keys(imported.proxies);
  if (proxies.length > 0) printLine(`  Proxies        ${proxies.join(", ")}`);
  if (own.monthRotate > 0 && isFile(system.root + imported.trafficPath)) {
    printLine(`  Month          ${imported.trafficPath}`);
  }
  for (const note of imported.notes) printLine(`  Note           ${note}`);
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
  const rows: readonly Option<unknown>[] = Object.values(OPTIONS);
  return Array.from(given, ([key, text]) => {
    if (key === "endpoint" || key === "token") return "";
    return rows.find((row) => row.key === key)?.secret ? key : `${key} ${text}`;
  }).filter((words) => words !== "").join(", ");
}
