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

/** The command of an OpenRC script, which supervise-daemon restarts. */
interface InitScript {
  readonly title: string;
  readonly command: readonly string[];
  readonly settings: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  /** Services that start before it. */
  readonly after: string;
}

/** The script, with the variables of the proxies' file. */
function initScript(
  { environmentFile, logFile }: ServicePlan,
  { title, command: [program = "", ...args], settings, variables, after }: InitScript,
): string[] {
  const file = quoteShellWord(environmentFile);
  return [
    "#!/sbin/openrc-run",
    `# ${ORIGIN}`,
    `description=${quoteShellWord(title)}`,
    "supervisor=supervise-daemon",
    `command=${quoteShellWord(program)}`,
    // A shell splits it a second time.
    `command_args=${quoteShellWord(args.map(quoteShellWord).join(" "))}`,
    ...settings,
    "respawn_max=0",
    `output_log=${quoteShellWord(logFile)}`,
    `error_log=${quoteShellWord(logFile)}`,
    "",
    ...Object.entries(variables).map(([name, value]) => `export ${name}=${quoteShellWord(value)}`),
    `if [ -r ${file} ]; then`,
    `  . ${file}`,
    `  export ${PROXY_VARIABLES.join(" ")}`,
    "fi",
    "",
    "depend() {",
    "  use net dns logger",
    `  after ${after}`,
    "}",
    "",
  ];
}

/** The OpenRC script of the agent, `/etc/init.d/NAME`. */
export function openrcScript(plan: ServicePlan): string {
  const { user, stateFolder, runtimeFolder, logFile } = plan;
  const owner = quoteShellWord(`${user}:${user}`);
  return [
    ...initScript(plan, {
      title: DESCRIPTION,
      command: [plan.program, "--config", plan.config],
      settings: [`command_user=${owner}`, "respawn_delay=5"],
      variables: agentVariables(plan),
      after: "firewall",
    }),
    "start_pre() {",
    // Those of an agent of another user are in the way; systemd removes them itself.
    `  rm -f ${quoteShellWord(`${runtimeFolder}/health`)} ${
      quoteShellWord(`${runtimeFolder}/health.lock`)
    }`,
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

/**
 * The OpenRC script of the update service, `/etc/init.d/NAME-update`.
 *
 * It must not depend on the agent: restarting the agent would then restart the update too.
 */
export function openrcUpdateScript(plan: ServicePlan): string {
  return initScript(plan, {
    title: `${DESCRIPTION}: updates`,
    command: updateLoop(plan),
    settings: [
      "respawn_delay=60",
      "# An update in progress stops cleanly within a few seconds.",
      "retry=TERM/15/KILL/5",
    ],
    variables: updateVariables(plan),
    after: `firewall ${plan.name}`,
  }).join("\n");
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
