import { agentVariables } from "./agent_variables.ts";
import { PROXY_VARIABLES } from "./environment_text.ts";
import { ORIGIN, type ServicePlan } from "./service_plan.ts";
import { shellWord } from "./shell_word.ts";

/** The script of a service for OpenWrt's procd, `/etc/init.d/NAME`. */
export function procdScript(plan: ServicePlan): string {
  const { user, environmentFile, stateFolder, runtimeFolder } = plan;
  const folders = `${shellWord(stateFolder)} ${shellWord(runtimeFolder)}`;
  return [
    "#!/bin/sh /etc/rc.common",
    `# ${ORIGIN}`,
    "START=95",
    "STOP=05",
    "USE_PROCD=1",
    "",
    "start_service() {",
    `  mkdir -p ${folders}`,
    `  chown ${shellWord(`${user}:`)} ${folders}`,
    `  chmod 0700 ${shellWord(stateFolder)}`,
    "  procd_open_instance",
    `  procd_set_param command ${shellWord(plan.program)} --config ${shellWord(plan.config)}`,
    ...procdEnvironment(agentVariables(plan), { file: environmentFile }),
    `  procd_set_param user ${shellWord(user)}`,
    "  # Again after 5 s, without a limit.",
    "  procd_set_param respawn 3600 5 0",
    "  procd_set_param stdout 1",
    "  procd_set_param stderr 1",
    "  procd_close_instance",
    "}",
    "",
  ].join("\n");
}

/** Lines that set variables, and those about proxies of a file. */
export function procdEnvironment(
  variables: Readonly<Record<string, string>>,
  { file }: { file: string | undefined },
): string[] {
  const words = Object.entries(variables).map(([name, value]) => shellWord(`${name}=${value}`));
  return [
    `  procd_set_param env ${words.join(" ")}`,
    ...(file === undefined ? [] : [
      `  if [ -r ${shellWord(file)} ]; then`,
      `    . ${shellWord(file)}`,
      ...PROXY_VARIABLES.map((name) =>
        `    [ -z "$${name}" ] || procd_append_param env "${name}=$${name}"`
      ),
      "  fi",
    ]),
  ];
}
