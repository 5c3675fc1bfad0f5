import type { Config } from "../config/config.ts";
import { requireNode } from "../config/credentials.ts";
import type { Option } from "../config/option.ts";
import { OPTIONS } from "../config/option_table.ts";
import { describeError } from "../log/log.ts";
import { install, type InstallOptions, printSteps } from "./install.ts";
import { findFacts } from "./install_context.ts";
import { readInstallRecord } from "./install_record.ts";
import { runStep, type Step } from "./install_step.ts";
import { detectManager } from "./managers.ts";
import { type OfficialAgent, onlyOfficialAgent, readTextBelow } from "./official_agent.ts";
import {
  readReplaced,
  removeReplaced,
  type ReplacedAgent,
  writeReplaced,
} from "./official_backup.ts";
import { type TakenOver, takeOver } from "./official_options.ts";
import { OfficialSwitch, type SwitchParts } from "./official_switch.ts";
import type { ServicePlan } from "./service_manager.ts";
import { servicePlaces } from "./service_paths.ts";
import { scopeOf, type Site } from "./target_system.ts";
import { uninstall } from "./uninstall.ts";

/** What a replacement is made of. */
export interface ReplacementParts {
  readonly official: Omit<ReplacedAgent, "isDone">;
  readonly officialSwitch: Pick<OfficialSwitch, "stop" | "disable" | "bringBack">;
  /** Where it is noted what was replaced. */
  readonly folder: string;
  /** Puts this agent there, starts it, and waits; the reason when its reports were not accepted. */
  install(signal: AbortSignal): Promise<string | undefined>;
  /** Takes away all that `install` has made. */
  uninstall(signal: AbortSignal): Promise<void>;
  /** Tells the user what goes on. */
  say(line: string): void;
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
export async function replaceOfficial(parts: ReplacementParts, signal: AbortSignal): Promise<void> {
  const { official, officialSwitch, folder, say } = parts;
  const { serviceName } = official;
  writeReplaced(folder, { ...official, isDone: false });
  try {
    say(`Stopping the official agent (${serviceName}) …`);
    await officialSwitch.stop(signal);
    const refusal = await parts.install(signal);
    if (refusal !== undefined) throw new Error(refusal);
  } catch (error) {
    say(signal.aborted ? "Interrupted." : `Not accepted: ${describeError(error)}`);
    await undo(parts, { reason: error, isStopped: signal.aborted });
    throw new Error(
      `Cannot take the place of ${serviceName}, so it was put back and runs again`,
      { cause: error },
    );
  }
  await officialSwitch.disable(signal);
  writeReplaced(folder, { ...official, isDone: true });
  say(`The official agent (${serviceName}) is stopped and no longer starts by itself;`);
  say("`komari-agent-deno uninstall --restore` brings it back.");
}

/** @throws {Error} When the official one does not run again, with the commands that are left. */
async function undo(
  parts: ReplacementParts,
  { reason, isStopped }: { reason: unknown; isStopped: boolean },
): Promise<void> {
  const { official, officialSwitch, folder, say, undoMs = UNDO_MS } = parts;
  // Whoever has stopped the way there wants the way back all the more.
  say("Putting the official agent back …");
  let trouble: unknown;
  try {
    await parts.uninstall(AbortSignal.timeout(undoMs));
  } catch (error) {
    trouble = error;
  }
  try {
    // With time of its own: an agent that does not end must not keep the official one from starting.
    await officialSwitch.bringBack(AbortSignal.timeout(undoMs));
  } catch (error) {
    trouble ??= error;
  }
  if (trouble === undefined) {
    removeReplaced(folder);
    return say(
      `The official agent (${official.serviceName}) runs again; all that was installed in its ` +
        "place was removed.",
    );
  }
  const words = `Cannot put ${official.serviceName} back (${describeError(trouble)}) after ` +
    `${describeError(reason)}; \`komari-agent-deno uninstall --restore\` tries it again`;
  // Whoever has stopped it is told no error, but has to know that nothing reports now.
  if (isStopped) say(words);
  throw new Error(words, { cause: trouble });
}

/** What a replacement needs beside what an installation does. */
export interface ReplaceOptions extends Omit<InstallOptions, "beforeStart" | "isTrial"> {
  /** What was asked for, with what the official agent was told below it. */
  reconsider(taken: Pick<TakenOver, "given" | "proxies">): Config;
  readonly pace?: SwitchParts["pace"];
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
  site: Site,
  options: ReplaceOptions,
): Promise<string | undefined> {
  const { serviceName, print } = config.install;
  const scope = scopeOf(site);
  const places = servicePlaces(serviceName, { ...site, scope });
  const folder = site.root + places.configFolder;
  const note = readReplaced(folder);
  if (note?.isDone) return await replaceAgain(note, { config, site, options });
  // What was cut off left its note; its configuration is only half of what is to be taken over.
  if (note === undefined && readInstallRecord(site.root + places.record) !== undefined) {
    throw new Error(
      `Cannot take an official agent's place: ${serviceName} is installed already; uninstall it ` +
        "first, or stop the official agent by hand",
    );
  }
  const official = onlyOfficialAgent({ ...site, kind: detectManager(site), scope });
  const taken = takeOver(official, readTextBelow(site.root));
  const own = options.reconsider(taken);
  requireNode(own, { verb: "install" });
  await findFacts(own, site, options.signal);
  tell(official, { taken, own, site });

  const officialSwitch = new OfficialSwitch(official, { ...site, ...pacing(options) });
  const beforeStart = (service: ServicePlan) => trafficSteps(service, { taken, own, site });
  if (print) {
    printSteps(officialSwitch.stopping.map(runStep), { site, secrets: own.secrets });
    await install(own, site, { ...options, beforeStart });
    printSteps(officialSwitch.disabling.map(runStep), { site, secrets: own.secrets });
    return undefined;
  }
  await replaceOfficial({
    official,
    officialSwitch,
    folder,
    install: (signal) => install(own, site, { ...options, signal, beforeStart, isTrial: true }),
    uninstall: (signal) => {
      const quiet = { ...site, say: () => {} };
      return uninstall(quiet, { serviceName, print: false, keepsNote: true, signal });
    },
    say: site.say,
  }, options.signal);
  return undefined;
}

/** Brings this agent up to date; the official one may have been started since. */
async function replaceAgain(
  note: ReplacedAgent,
  { config, site, options }: { config: Config; site: Site; options: ReplaceOptions },
): Promise<string | undefined> {
  site.say(`The place of the official agent (${note.serviceName}) was taken before.`);
  const refusal = await install(config, site, options);
  if (refusal === undefined && !config.install.print) {
    const officialSwitch = new OfficialSwitch(note, { ...site, ...pacing(options) });
    await officialSwitch.stop(options.signal);
    await officialSwitch.disable(options.signal);
  }
  return refusal;
}

function pacing({ pace }: ReplaceOptions): Pick<SwitchParts, "pace"> {
  return pace === undefined ? {} : { pace };
}

/** Copies what the official agent has noted of the month, if that is reported here. */
function trafficSteps(
  { stateFolder, user }: ServicePlan,
  { taken, own, site }: { taken: TakenOver; own: Config; site: Site },
): Step[] {
  const from = site.root + taken.trafficPath;
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

function tell(
  { serviceName, manager, unitPath, binary }: OfficialAgent,
  { taken, own, site }: { taken: TakenOver; own: Config; site: Site },
): void {
  const { say } = site;
  say("Taking the place of the official agent:");
  say(`  Service        ${serviceName} (${manager}), ${unitPath}`);
  say(`  Program        ${binary}`);
  say(`  Panel          ${own.endpoint}`);
  say(`  Token          ${tokenWords(own.token, taken)}`);
  const options = optionWords(taken.given);
  if (options !== "") say(`  Options        ${options}`);
  const proxies = Object.keys(taken.proxies);
  if (proxies.length > 0) say(`  Proxies        ${proxies.join(", ")}`);
  if (own.monthRotate > 0 && isFile(site.root + taken.trafficPath)) {
    say(`  Month          ${taken.trafficPath}`);
  }
  for (const note of taken.notes) say(`  Note           ${note}`);
  if (taken.remoteControl && !own.remoteControl) {
    say("  Remote control was on there and is off here; --enable-remote-control turns it on");
  }
}

function tokenWords(token: string, { given }: TakenOver): string {
  if (token === "") return "not known; this agent registers anew";
  return token === given.get("token") ? "taken over" : "the one that was given now";
}

/** Options by their keys, and none that is secret or said apart. */
function optionWords(given: ReadonlyMap<string, string>): string {
  const rows: readonly Option<unknown>[] = Object.values(OPTIONS);
  return Array.from(given, ([key, text]) => {
    if (key === "endpoint" || key === "token") return "";
    return rows.find((row) => row.key === key)?.secret ? key : `${key} ${text}`;
  }).filter((words) => words !== "").join(", ");
}
