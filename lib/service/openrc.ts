import type { ToolCommand } from "../host/tool_runner.ts";
import { PROXY_VARIABLES } from "../config/environment.ts";
import { agentVariables, updateLoop, updateServiceName, updateVariables } from "./service_files.ts";
import {
  DESCRIPTION,
  type ManagedService,
  optional,
  ORIGIN,
  type ServiceManager,
  type ServicePlan,
} from "./service_manager.ts";
import { quoteShellWord } from "../parse/shell_words.ts";

/** The OpenRC script of the agent, `/etc/init.d/NAME`, restarted by supervise-daemon. */
export function openrcScript(plan: ServicePlan): string {
  const { user, environmentFile, stateFolder, runtimeFolder, logFile } = plan;
  const owner = quoteShellWord(`${user}:${user}`);
  return [
    "#!/sbin/openrc-run",
    `# ${ORIGIN}`,
    `description=${quoteShellWord(DESCRIPTION)}`,
    "supervisor=supervise-daemon",
    `command=${quoteShellWord(plan.program)}`,
    // A shell splits it a second time.
    `command_args=${quoteShellWord(`--config ${quoteShellWord(plan.config)}`)}`,
    `command_user=${owner}`,
    "respawn_delay=5",
    "respawn_max=0",
    `output_log=${quoteShellWord(logFile)}`,
    `error_log=${quoteShellWord(logFile)}`,
    "",
    ...openrcExports(agentVariables(plan), { file: environmentFile }),
    "",
    "depend() {",
    "  use net dns logger",
    "  after firewall",
    "}",
    "",
    "start_pre() {",
    `  checkpath -d -m 0700 -o ${owner} ${quoteShellWord(stateFolder)}`,
    `  checkpath -d -m 0755 -o ${owner} ${quoteShellWord(runtimeFolder)}`,
    `  checkpath -f -m 0640 -o ${owner} ${quoteShellWord(logFile)}`,
    ...(user === "root" ? [] : [
      "  # ping may need this capability; older versions of supervise-daemon can't pass it on.",
      "  if supervise-daemon --help 2>&1 | grep -q -- --capabilities; then",
      "    capabilities='^cap_net_raw'",
      "  fi",
    ]),
    "}",
    "",
  ].join("\n");
}

/** Lines that export variables, and the proxy variables of a file. */
function openrcExports(
  variables: Readonly<Record<string, string>>,
  { file }: { file: string | undefined },
): string[] {
  return [
    ...Object.entries(variables).map(([name, value]) => `export ${name}=${quoteShellWord(value)}`),
    ...(file === undefined ? [] : [
      `if [ -r ${quoteShellWord(file)} ]; then`,
      `  . ${quoteShellWord(file)}`,
      `  export ${PROXY_VARIABLES.join(" ")}`,
      "fi",
    ]),
  ];
}

/**
 * The OpenRC script of the update service, `/etc/init.d/NAME-update`.
 *
 * It must not depend on the agent: restarting the agent would then restart the update too.
 */
export function openrcUpdateScript(plan: ServicePlan): string {
  const { name, environmentFile, logFile } = plan;
  const [shell = "", ...words] = updateLoop(plan);
  return [
    "#!/sbin/openrc-run",
    `# ${ORIGIN}`,
    `description=${quoteShellWord(`${DESCRIPTION}: updates`)}`,
    "supervisor=supervise-daemon",
    `command=${shell}`,
    // A shell splits it a second time.
    `command_args=${quoteShellWord(words.map(quoteShellWord).join(" "))}`,
    "respawn_delay=60",
    "respawn_max=0",
    "# An update in progress stops cleanly within a few seconds.",
    "retry=TERM/15/KILL/5",
    `output_log=${quoteShellWord(logFile)}`,
    `error_log=${quoteShellWord(logFile)}`,
    "",
    ...openrcExports(updateVariables(plan), { file: environmentFile }),
    "",
    "depend() {",
    "  use net dns logger",
    `  after firewall ${name}`,
    "}",
    "",
  ].join("\n");
}

/** An OpenRC service. */
export function openrcManager({ name, logFile }: ManagedService): ServiceManager {
  const update = updateServiceName(name);
  const run = (tool: string, ...args: string[]): ToolCommand => ({ tool, args });
  const add = (service: string) => run("rc-update", "add", service, "default");
  const restart = (service: string) => run("rc-service", service, "restart");
  const stop = (service: string) => optional(run("rc-service", service, "stop"));
  const del = (service: string) => optional(run("rc-update", "del", service, "default"));
  return {
    files: (plan) => [{ path: `/etc/init.d/${name}`, text: openrcScript(plan), mode: 0o755 }],
    updateFiles: (plan) => [
      { path: `/etc/init.d/${update}`, text: openrcUpdateScript(plan), mode: 0o755 },
    ],
    reload: [],
    enable: [add(name)],
    enableUpdates: [add(update), restart(update)],
    restart: [restart(name)],
    stop: [stop(name)],
    disable: [del(name)],
    disableUpdates: [stop(update), del(update)],
    isActive: run("rc-service", name, "status"),
    isEnabled: run("test", "-e", `/etc/runlevels/default/${name}`),
    logTail: run("tail", "-n", "5", logFile),
    logHint: `tail -f ${logFile}`,
  };
}
