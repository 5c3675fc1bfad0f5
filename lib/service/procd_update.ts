import { procdEnvironment } from "./procd_script.ts";
import { ORIGIN, type ServicePlan } from "./service_plan.ts";
import { shellWord } from "./shell_word.ts";
import { updateLoop } from "./update_loop.ts";
import { updateVariables } from "./update_service.ts";

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
