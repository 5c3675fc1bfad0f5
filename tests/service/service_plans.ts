import type { InstallRecord } from "../../lib/service/install_record.ts";
import type { ServicePlan } from "../../lib/service/service_manager.ts";

/** A service as most have it: the machine's, with a user of its own. */
export const SYSTEM_PLAN: ServicePlan = {
  name: "komari-agent-deno",
  scope: "system",
  program: "/opt/komari-agent-deno/komari-agent-deno",
  config: "/etc/komari-agent-deno/config.json",
  environmentFile: "/etc/komari-agent-deno/environment",
  user: "komari-agent-deno",
  stateFolder: "/var/lib/komari-agent-deno",
  updateFolder: "/opt/komari-agent-deno/komari-agent-deno.update",
  runtimeFolder: "/run/komari-agent-deno",
  logFile: "/var/log/komari-agent-deno.log",
  deno: undefined,
  sandbox: "full",
  usesDevices: false,
  releaseFlags: [],
  isUpdated: true,
};

/** The record of its installation. */
export const RECORD: InstallRecord = {
  ...{ service: "komari-agent-deno", manager: "systemd", scope: "system" },
  ...{ user: "komari-agent-deno", createdUser: true, enabledLinger: "" },
  program: "/opt/komari-agent-deno/komari-agent-deno",
  config: "/etc/komari-agent-deno/config.json",
  stateFolder: "/var/lib/komari-agent-deno",
  runtimeFolder: "/run/komari-agent-deno",
  logFile: "/var/log/komari-agent-deno.log",
  files: ["/etc/systemd/system/komari-agent-deno.service"],
  links: ["/usr/local/bin/komari-agent-deno"],
  folders: ["/opt/komari-agent-deno", "/opt"],
  trees: ["/var/lib/komari-agent-deno"],
  pinned: "1.2.3",
  rootOptions: { mirror: "https://mirror.example" },
};

/** Everything the other way round, with signs in its values that each format takes for its own. */
export const ESCAPED_PLAN: ServicePlan = {
  ...SYSTEM_PLAN,
  name: "node-2",
  program: "/srv/my odd 100% $HOME/agent",
  config: `/etc/node 2/"config" & $HOME's more.json`,
  environmentFile: "/etc/node-2/environment",
  user: "root",
  stateFolder: "/srv/state of <node> 2",
  updateFolder: "/srv/my odd 100% $HOME/agent.update",
  runtimeFolder: "/run/node-2",
  logFile: "/var/log/node-2.log",
  deno: `/opt/de no/100%/"deno"`,
  usesDevices: true,
  releaseFlags: ["--mirror", "https://m.example/a b"],
};

/** A service of a user's own. */
export const USER_PLAN: ServicePlan = {
  ...SYSTEM_PLAN,
  scope: "user",
  user: "",
  program: "/home/ann/.local/share/komari-agent-deno/komari-agent-deno",
  config: "/home/ann/.config/komari-agent-deno/config.json",
  environmentFile: "/home/ann/.config/komari-agent-deno/environment",
  stateFolder: "/home/ann/.local/state/komari-agent-deno",
  updateFolder: "/home/ann/.local/share/komari-agent-deno/komari-agent-deno.update",
  runtimeFolder: "/run/user/1000/komari-agent-deno",
  logFile: "/home/ann/.local/state/komari-agent-deno/agent.log",
};

/** A text that was looked through by a person. */
export function golden(name: string): string {
  return Deno.readTextFileSync(new URL(`../fixtures/services/${name}`, import.meta.url));
}
