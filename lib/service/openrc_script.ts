import { agentVariables } from "./agent_variables.ts";
import { PROXY_VARIABLES } from "./environment_text.ts";
import { DESCRIPTION, ORIGIN, type ServicePlan } from "./service_plan.ts";
import { shellWord } from "./shell_word.ts";

/** The script of a service for OpenRC, `/etc/init.d/NAME`; its supervisor starts it again. */
export function openrcScript(plan: ServicePlan): string {
  const { user, environmentFile, stateFolder, runtimeFolder, logFile } = plan;
  const owner = shellWord(`${user}:${user}`);
  return [
    "#!/sbin/openrc-run",
    `# ${ORIGIN}`,
    `description=${shellWord(DESCRIPTION)}`,
    "supervisor=supervise-daemon",
    `command=${shellWord(plan.program)}`,
    // It is read by the shell a second time.
    `command_args=${shellWord(`--config ${shellWord(plan.config)}`)}`,
    `command_user=${owner}`,
    "respawn_delay=5",
    "respawn_max=0",
    `output_log=${shellWord(logFile)}`,
    `error_log=${shellWord(logFile)}`,
    "",
    ...openrcExports(agentVariables(plan), { file: environmentFile }),
    "",
    "depend() {",
    "  use net dns logger",
    "  after firewall",
    "}",
    "",
    "start_pre() {",
    `  checkpath -d -m 0700 -o ${owner} ${shellWord(stateFolder)}`,
    `  checkpath -d -m 0755 -o ${owner} ${shellWord(runtimeFolder)}`,
    `  checkpath -f -m 0640 -o ${owner} ${shellWord(logFile)}`,
    ...(user === "root" ? [] : [
      "  # An echo by `ping` may need this right; older versions can't hand it on.",
      "  if supervise-daemon --help 2>&1 | grep -q -- --capabilities; then",
      "    capabilities='^cap_net_raw'",
      "  fi",
    ]),
    "}",
    "",
  ].join("\n");
}

/** Lines that hand variables on, and those about proxies of a file. */
export function openrcExports(
  variables: Readonly<Record<string, string>>,
  { file }: { file: string | undefined },
): string[] {
  return [
    ...Object.entries(variables).map(([name, value]) => `export ${name}=${shellWord(value)}`),
    ...(file === undefined ? [] : [
      `if [ -r ${shellWord(file)} ]; then`,
      `  . ${shellWord(file)}`,
      `  export ${PROXY_VARIABLES.join(" ")}`,
      "fi",
    ]),
  ];
}
