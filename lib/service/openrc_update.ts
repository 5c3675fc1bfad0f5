import { openrcExports } from "./openrc_script.ts";
import { DESCRIPTION, ORIGIN, type ServicePlan } from "./service_plan.ts";
import { shellWord } from "./shell_word.ts";
import { updateLoop } from "./update_loop.ts";
import { updateVariables } from "./update_service.ts";

/**
 * The script of what takes newer versions for OpenRC, `/etc/init.d/NAME-update`.
 *
 * It depends on the agent in nothing, since it restarts it and would be restarted along.
 */
export function openrcUpdateScript(plan: ServicePlan): string {
  const { name, updateEnvironmentFile, logFile } = plan;
  const [shell = "", ...words] = updateLoop(plan);
  return [
    "#!/sbin/openrc-run",
    `# ${ORIGIN}`,
    `description=${shellWord(`${DESCRIPTION}: take newer versions`)}`,
    "supervisor=supervise-daemon",
    `command=${shell}`,
    // It is read by the shell a second time.
    `command_args=${shellWord(words.map(shellWord).join(" "))}`,
    "respawn_delay=60",
    "respawn_max=0",
    "# What is under way leaves things whole within a few seconds.",
    "retry=TERM/15/KILL/5",
    `output_log=${shellWord(logFile)}`,
    `error_log=${shellWord(logFile)}`,
    "",
    ...openrcExports(updateVariables(plan), { file: updateEnvironmentFile }),
    "",
    "depend() {",
    "  use net dns logger",
    `  after firewall ${name}`,
    "}",
    "",
  ].join("\n");
}
