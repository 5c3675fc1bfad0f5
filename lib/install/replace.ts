import type { Config } from "../config/config.ts";
import type { Option } from "../config/option.ts";
import { OPTIONS } from "../config/options.ts";
import { requireNode } from "../config/require_node.ts";
import { readInstallRecord } from "../host/installed.ts";
import type { OfficialAgent } from "../service/official_agent.ts";
import type { ServicePlan } from "../service/service_plan.ts";
import { servicePlaces } from "../service/service_places.ts";
import { type TakenOver, takeOver } from "../service/take_over.ts";
import { detectManager } from "./detect_manager.ts";
import { findFacts } from "./find_facts.ts";
import { install, type InstallOptions, printSteps } from "./install.ts";
import { onlyOfficialAgent, readTextBelow } from "./official_services.ts";
import { OfficialSwitch, type SwitchParts } from "./official_switch.ts";
import { readReplaced, type ReplacedAgent } from "./replaced_agent.ts";
import { replaceOfficial } from "./replacement.ts";
import { scopeOf, type Site } from "./site.ts";
import { runStep, type Step } from "./step.ts";
import { uninstall } from "./uninstall.ts";

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
