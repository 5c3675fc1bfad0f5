import type { ToolCommand } from "../host/tool_runner.ts";
import { PROXY_VARIABLES } from "../config/environment.ts";
import { agentVariables } from "./service_environment.ts";
import {
  type ManagedService,
  optional,
  ORIGIN,
  type ServiceManager,
  type ServicePlan,
} from "./service_manager.ts";
import { quoteShellWord } from "../parse/shell_words.ts";
import { updateLoop, updateServiceName, updateVariables } from "./update_service.ts";

/** The procd script of the agent, `/etc/init.d/NAME`. */
export function procdScript(plan: ServicePlan): string {
  const { user, environmentFile, stateFolder, runtimeFolder } = plan;
  const folders = `${quoteShellWord(stateFolder)} ${quoteShellWord(runtimeFolder)}`;
  return [
    "#!/bin/sh /etc/rc.common",
    `# ${ORIGIN}`,
    "START=95",
    "STOP=05",
    "USE_PROCD=1",
    "",
    "start_service() {",
    `  mkdir -p ${folders}`,
    `  chown ${quoteShellWord(`${user}:`)} ${folders}`,
    `  chmod 0700 ${quoteShellWord(stateFolder)}`,
    "  procd_open_instance",
    `  procd_set_param command ${quoteShellWord(plan.program)} --config ${
      quoteShellWord(plan.config)
    }`,
    ...procdEnvironment(agentVariables(plan), { file: environmentFile }),
    `  procd_set_param user ${quoteShellWord(user)}`,
    "  # Restart after 5 s, without a limit.",
    "  procd_set_param respawn 3600 5 0",
    "  procd_set_param stdout 1",
    "  procd_set_param stderr 1",
    "  procd_close_instance",
    "}",
    "",
  ].join("\n");
}

/** Lines that set variables, and the proxy variables of a file. */
function procdEnvironment(
  variables: Readonly<Record<string, string>>,
  { file }: { file: string | undefined },
): string[] {
  const words = Object.entries(variables).map(([name, value]) =>
    quoteShellWord(`${name}=${value}`)
  );
  return [
    `  procd_set_param env ${words.join(" ")}`,
    ...(file === undefined ? [] : [
      `  if [ -r ${quoteShellWord(file)} ]; then`,
      `    . ${quoteShellWord(file)}`,
      ...PROXY_VARIABLES.map((name) =>
        `    [ -z "$${name}" ] || procd_append_param env "${name}=$${name}"`
      ),
      "  fi",
    ]),
  ];
}

/** The procd script of the update service, `/etc/init.d/NAME-update`. */
export function procdUpdateScript(plan: ServicePlan): string {
  return [
    "#!/bin/sh /etc/rc.common",
    `# ${ORIGIN}`,
    "START=96",
    "STOP=04",
    "USE_PROCD=1",
    "",
    "start_service() {",
    "  procd_open_instance",
    `  procd_set_param command ${updateLoop(plan).map(quoteShellWord).join(" ")}`,
    ...procdEnvironment(updateVariables(plan), { file: plan.updateEnvironmentFile }),
    "  procd_set_param respawn 3600 60 0",
    "  # An update in progress stops cleanly within a few seconds.",
    "  procd_set_param term_timeout 15",
    "  procd_set_param nice 10",
    "  procd_set_param stdout 1",
    "  procd_set_param stderr 1",
    "  procd_close_instance",
    "}",
    "",
  ].join("\n");
}

/** A procd service, controlled through its script. */
export function procdManager({ name }: ManagedService): ServiceManager {
  const path = `/etc/init.d/${name}`;
  const update = `/etc/init.d/${updateServiceName(name)}`;
  const run = (tool: string, word: string): ToolCommand => ({ tool, args: [word] });
  return {
    files: (plan) => [{ path, text: procdScript(plan), mode: 0o755 }],
    updateFiles: (plan) => [{ path: update, text: procdUpdateScript(plan), mode: 0o755 }],
    reload: [],
    enable: [run(path, "enable")],
    enableUpdates: [run(update, "enable"), run(update, "restart")],
    restart: [run(path, "restart")],
    stop: [optional(run(path, "stop"))],
    disable: [optional(run(path, "disable"))],
    disableUpdates: [optional(run(update, "stop")), optional(run(update, "disable"))],
    isActive: run(path, "running"),
    isEnabled: run(path, "enabled"),
    logTail: { tool: "logread", args: ["-l", "5", "-e", name] },
    logHint: `logread -f -e ${name}`,
  };
}
