/**
 * All commands but `report` and `health`, each in a file of its own that is loaded when it runs.
 *
 * @module
 */

import type { Command } from "../config/commands.ts";
import type { Config } from "../config/config.ts";
import type { Finding } from "../doctor/check.ts";
import type { CommandContext, CommandFunction } from "./command.ts";

/** Gives what runs each of them. */
export type OtherCommands =
  & Readonly<
    Record<Exclude<Command, "report" | "health"> | "dryRun", () => Promise<CommandFunction>>
  >
  & {
    /** What `doctor` says of the service of an agent that is not seen, for `health`. */
    unseenService(
      config: Config,
      context: Pick<CommandContext, "env" | "signal">,
    ): Promise<Finding | undefined>;
  };

export const OTHER_COMMANDS: OtherCommands = {
  "dryRun": async () => (await import("./dry_run.ts")).runDryRun,
  "demo": async () => (await import("./demo.ts")).runDemo,
  "traffic show": async () => (await import("./traffic.ts")).runTrafficShow,
  "traffic set": async () => (await import("./traffic.ts")).runTrafficSet,
  "install": async () => (await import("./install.ts")).runInstall,
  "uninstall": async () => (await import("./uninstall.ts")).runUninstall,
  "status": async () => (await import("./status.ts")).runStatus,
  "doctor": async () => (await import("./doctor.ts")).runDoctor,
  "config show": async () => (await import("./config_show.ts")).runConfigShow,
  "update": async () => (await import("./update.ts")).runUpdate,
  "version": async () => (await import("./version.ts")).runVersion,
  "licenses": async () => (await import("./licenses.ts")).runLicenses,
  "help": async () => (await import("./help.ts")).runHelp,
  async unseenService(config, { env, signal }) {
    const [{ findService }, { judgeService }] = await Promise.all([
      import("../doctor/found_service.ts"),
      import("../doctor/service_state.ts"),
    ]);
    return judgeService(await findService(config, { env, signal }), undefined);
  },
};
