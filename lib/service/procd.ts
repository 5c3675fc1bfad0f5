import type { ToolCommand } from "../host/tool_runner.ts";
import { agentVariables, PROXY_VARIABLES } from "./service_environment.ts";
import {
  type ManagedService,
  ORIGIN,
  type ServiceManager,
  type ServicePlan,
} from "./service_manager.ts";
import { shellWord } from "./shell_words.ts";
import { updateLoop, updateServiceName, updateVariables } from "./update_service.ts";

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

/** The script of what takes newer versions for OpenWrt's procd, `/etc/init.d/NAME-update`. */
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
    `  procd_set_param command ${updateLoop(plan).map(shellWord).join(" ")}`,
    ...procdEnvironment(updateVariables(plan), { file: plan.updateEnvironmentFile }),
    "  procd_set_param respawn 3600 60 0",
    "  # What is under way leaves things whole within a few seconds.",
    "  procd_set_param term_timeout 15",
    "  procd_set_param nice 10",
    "  procd_set_param stdout 1",
    "  procd_set_param stderr 1",
    "  procd_close_instance",
    "}",
    "",
  ].join("\n");
}

/** A service of OpenWrt's procd, which is run through its script. */
export function procdManager({ name }: ManagedService): ServiceManager {
  const path = `/etc/init.d/${name}`;
  const update = `/etc/init.d/${updateServiceName(name)}`;
  const run = (tool: string, word: string): ToolCommand => ({ tool, args: [word] });
  const may = (command: ToolCommand): ToolCommand => ({ ...command, mayFail: true });
  return {
    files: (plan) => [
      { path, text: procdScript(plan), mode: 0o755 },
      ...(plan.isUpdated ? [{ path: update, text: procdUpdateScript(plan), mode: 0o755 }] : []),
    ],
    reload: [],
    enable: ({ isUpdated }) => [
      run(path, "enable"),
      ...(isUpdated ? [run(update, "enable"), run(update, "restart")] : []),
    ],
    restart: [run(path, "restart")],
    stop: [may(run(path, "stop"))],
    disable: [may(run(path, "disable"))],
    disableUpdates: [may(run(update, "stop")), may(run(update, "disable"))],
    isActive: run(path, "running"),
    lastLog: { tool: "logread", args: ["-l", "5", "-e", name] },
    logHint: `logread -f -e ${name}`,
  };
}
