import { denoVariables } from "./deno_variables.ts";
import { PROXY_VARIABLES } from "./environment_text.ts";
import { ORIGIN, type ServicePlan } from "./service_plan.ts";
import { shellWord } from "./shell_word.ts";

/** The script of a service for OpenWrt's procd, `/etc/init.d/NAME`. */
export function procdScript(plan: ServicePlan): string {
  const { user, environmentFile, stateFolder, runtimeFolder } = plan;
  const environment = Object.entries({
    ...denoVariables(plan, { folder: plan.stateFolder }),
    STATE_DIRECTORY: stateFolder,
    RUNTIME_DIRECTORY: runtimeFolder,
  });
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
    `  procd_set_param env ${
      environment.map(([name, value]) => shellWord(`${name}=${value}`)).join(" ")
    }`,
    ...(environmentFile === undefined ? [] : [
      `  if [ -r ${shellWord(environmentFile)} ]; then`,
      `    . ${shellWord(environmentFile)}`,
      ...PROXY_VARIABLES.map((name) =>
        `    [ -z "$${name}" ] || procd_append_param env "${name}=$${name}"`
      ),
      "  fi",
    ]),
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
