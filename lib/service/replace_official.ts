import type { Config } from "../config/config.ts";
import { requireNode } from "../config/credentials.ts";
import type { Option } from "../config/option.ts";
import { OPTIONS } from "../config/option_table.ts";
import { describeError } from "../log/log.ts";
import { install, type InstallOptions, printSteps } from "./install.ts";
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

/** What a replacement is made of. */
export interface ReplacementOptions {
  readonly official: Omit<OfficialRecord, "isDone">;
  readonly officialService: Pick<OfficialService, "stop" | "disable" | "start">;
  /** Where it is noted what was replaced. */
  readonly folder: string;
  /** Puts this agent there, starts it, and waits; the reason when its reports were not accepted. */
  install(signal: AbortSignal): Promise<string | undefined>;
  /** Takes away all that `install` has made. */
  uninstall(signal: AbortSignal): Promise<void>;
  /** Tells the user what goes on. */
  printLine(line: string): void;
  /** How long each step of the way back may take: 90 s when absent. */
  readonly undoMs?: number;
}

/** Whatever has ended the way there. */
const UNDO_MS = 90_000;

/**
 * Puts this agent in the official one's place, and the official one back when the panel does not
 * accept it.
 *
 * The official one starts with the machine until then, so that a loss of power between leaves one
 * that reports.
 *
 * @throws {Error} When this agent is not there in the end; the message says what is.
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
      `Cannot take the place of ${serviceName}, so it was put back and runs again`,
      { cause: error },
    );
  }
  await officialService.disable(signal);
  writeOfficialRecord(folder, { ...official, isDone: true });
  printLine(`The official agent (${serviceName}) is stopped and no longer starts by itself;`);
  printLine("`komari-agent-deno uninstall --restore` brings it back.");
}

/** @throws {Error} When the official one does not run again, with the commands that are left. */
async function undo(
  parts: ReplacementOptions,
  { reason, isStopped }: { reason: unknown; isStopped: boolean },
): Promise<void> {
  const { official, officialService, folder, printLine, undoMs = UNDO_MS } = parts;
  // Whoever has stopped the way there wants the way back all the more.
  printLine("Putting the official agent back …");
  let trouble: unknown;
  try {
    await parts.uninstall(AbortSignal.timeout(undoMs));
  } catch (error) {
    trouble = error;
  }
  try {
    // With time of its own: an agent that does not end must not keep the official one from starting.
    await officialService.start(AbortSignal.timeout(undoMs));
  } catch (error) {
    trouble ??= error;
  }
  if (trouble === undefined) {
    removeOfficialRecord(folder);
    return printLine(
      `The official agent (${official.serviceName}) runs again; all that was installed in its ` +
        "place was removed.",
    );
  }
  const words = `Cannot put ${official.serviceName} back (${describeError(trouble)}) after ` +
    `${describeError(reason)}; \`komari-agent-deno uninstall --restore\` tries it again`;
  // Whoever has stopped it is told no error, but has to know that nothing reports now.
  if (isStopped) printLine(words);
  throw new Error(words, { cause: trouble });
}

/** What a replacement needs beside what an installation does. */
export interface ReplaceOptions extends Omit<InstallOptions, "beforeStart" | "isTrial"> {
  /** What was asked for, with what the official agent was told below it. */
  resolveWith(imported: Pick<ImportedSettings, "given" | "proxies">): Config;
  readonly timing?: OfficialServiceOptions["timing"];
}

/**
 * Takes an official agent's place on this machine: its panel, token, options and month's traffic.
 *
 * Where its place was taken before, this agent is brought up to date.
 *
 * @returns Why the reports were not accepted; `undefined` when they are, and with `--print`.
 * @throws {Error} When there is not exactly one, or when this agent is not there in the end.
 */
export async function replace(
  config: Config,
  system: TargetSystem,
  options: ReplaceOptions,
): Promise<string | undefined> {
  const { serviceName, print } = config.install;
  const scope = scopeOf(system);
  const paths = servicePaths(serviceName, { ...system, scope });
  const folder = system.root + paths.configFolder;
  const note = readOfficialRecord(folder);
  if (note?.isDone) return await updateReplacement(note, { config, system, options });
  // What was cut off left its note; its configuration is only half of what is to be taken over.
  if (note === undefined && readInstallRecord(system.root + paths.record) !== undefined) {
    throw new Error(
      `Cannot take an official agent's place: ${serviceName} is installed already; uninstall it ` +
        "first, or stop the official agent by hand",
    );
  }
  const official = onlyOfficialAgent({ ...system, kind: detectManager(system), scope });
  const imported = importSettings(official, boundedReader(system.root));
  const own = options.resolveWith(imported);
  requireNode(own, { verb: "install" });
  await readInstallContext(own, system, options.signal);
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

/** Brings this agent up to date; the official one may have been started since. */
async function updateReplacement(
  note: OfficialRecord,
  { config, system, options }: { config: Config; system: TargetSystem; options: ReplaceOptions },
): Promise<string | undefined> {
  system.printLine(`The place of the official agent (${note.serviceName}) was taken before.`);
  const refusal = await install(config, system, options);
  if (refusal === undefined && !config.install.print) {
    const officialService = new OfficialService(note, { ...system, ...pacing(options) });
    await officialService.stop(options.signal);
    await officialService.disable(options.signal);
  }
  return refusal;
}

function pacing({ timing }: ReplaceOptions): Pick<OfficialServiceOptions, "timing"> {
  return timing === undefined ? {} : { timing };
}

/** Copies what the official agent has noted of the month, if that is reported here. */
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
  printLine("Taking the place of the official agent:");
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
    printLine("  Remote control was on there and is off here; --enable-remote-control turns it on");
  }
}

function describeToken(token: string, { given }: ImportedSettings): string {
  if (token === "") return "not known; this agent registers anew";
  return token === given.get("token") ? "taken over" : "the one that was given now";
}

/** Options by their keys, and none that is secret or said apart. */
function describeOptions(given: ReadonlyMap<string, string>): string {
  const rows: readonly Option<unknown>[] = Object.values(OPTIONS);
  return Array.from(given, ([key, text]) => {
    if (key === "endpoint" || key === "token") return "";
    return rows.find((row) => row.key === key)?.secret ? key : `${key} ${text}`;
  }).filter((words) => words !== "").join(", ");
}
