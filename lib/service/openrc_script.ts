import { denoVariables } from "./deno_variables.ts";
import { PROXY_VARIABLES } from "./environment_text.ts";
import { DESCRIPTION, ORIGIN, type ServicePlan } from "./service_plan.ts";
import { shellWord } from "./shell_word.ts";

/** The script of a service for OpenRC, `/etc/init.d/NAME`; its supervisor starts it again. */
export function openrcScript(plan: ServicePlan): string {
  const { user, environmentFile, stateFolder, runtimeFolder, logFile } = plan;
  const owner = shellWord(`${user}:${user}`);
  const exports = Object.entries({
    ...denoVariables(plan, { folder: plan.stateFolder }),
    STATE_DIRECTORY: stateFolder,
    RUNTIME_DIRECTORY: runtimeFolder,
  });
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
    ...exports.map(([name, value]) => `export ${name}=${shellWord(value)}`),
    ...(environmentFile === undefined ? [] : [
      `if [ -r ${shellWord(environmentFile)} ]; then`,
      `  . ${shellWord(environmentFile)}`,
      `  export ${PROXY_VARIABLES.join(" ")}`,
      "fi",
    ]),
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
