/**
 * The command `demo`: reports this machine to a panel of its own, whose page shows the values.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { describeFaults, parseFault } from "../demo/fault.ts";
import { StandInPanel } from "../demo/stand_in_panel.ts";
import { getLogger } from "../log/log.ts";
import { runtimeFolders, stateFolder } from "../state/paths.ts";
import { type CommandContext, supportedPlatform } from "./command.ts";
import { logToStandardError, logUnhandledErrors, printError } from "./output.ts";

/** Starts the panel and reports to it until the program is asked to end. */
export async function runDemo(config: Config, context: CommandContext): Promise<number> {
  const { print, signal } = context;
  if (config.fault === "help") {
    print(`${describeFaults(config.language)}\n`);
    return 0;
  }
  const fault = config.fault === "" ? undefined : parseFault(config.fault);
  const panel = new StandInPanel(config.language);
  panel.open(config.port);
  panel.setFault(fault);
  const secrets = [...config.secrets, panel.token];
  logToStandardError(config, secrets, {
    write(line) {
      if (config.logLanguage === "en") printError(line);
      else context.printError(line);
      panel.state.addLogLine(line);
    },
  });
  logUnhandledErrors();
  const url = `${panel.url}/`;
  print(`\nThe demo's page: ${url}\nCtrl-C ends it.\n\n`);
  // A demo asks no strangers for addresses.
  const ipServices = config.ipServices === "default" ? "off" : config.ipServices;
  try {
    const { url: endpoint, token } = panel;
    await context.runAgent({
      ...{ ...config, ...ownFolders(config) },
      ...{ ipServices, endpoint, token, furtherPanels: [] },
    }, { ...supportedPlatform(), signal, secrets });
  } finally {
    panel.close();
  }
  getLogger("agent").info("Stopped");
  return 0;
}

/** Folders beside those of an agent that may run here, whose health and state are not the demo's. */
function ownFolders(config: Config): Pick<Config, "runtimeDir" | "stateDir"> {
  const runtimeDir = runtimeFolders(config).map((folder) => `${folder}-demo`)
    .find((folder) => attempt(() => [Deno.mkdirSync(folder, { recursive: true })]) !== undefined);
  const isGiven = config.explicitOptions.has("state_dir");
  const stateDir = isGiven ? config.stateDir : `${stateFolder(config)}-demo`;
  return { runtimeDir: runtimeDir ?? "", stateDir };
}
