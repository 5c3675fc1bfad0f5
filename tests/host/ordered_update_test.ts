import { assertEquals } from "@std/assert";
import { orderedUpdate } from "../../lib/host/ordered_update.ts";
import { cases, same } from "../cases.ts";

const PROGRAM = { path: "/p", folder: "/p.update" };
const UPDATE = "systemctl start --no-block agent-update.service";
const USER = "user.slice/user-1000.slice/user@1000.service";

/** Cgroups, and the command that updates. */
const CGROUPS = `
0::/system.slice/agent.service → ${UPDATE}
12:pids:/system.slice/agent.service;1:name=systemd:/system.slice/agent.service → ${UPDATE}
0::/${USER}/app.slice/agent.service → systemctl --user start --no-block agent-update.service
0::/ → /p update --now
0::/user.slice/user-0.slice/session-3.scope → /p update --now
0::/system.slice/docker-0123.scope → /p update --now
0::/openrc.agent → /p update --now
`;

Deno.test("orderedUpdate() starts the unit of the service manager in each kind of cgroup, else the program", () => {
  same((cgroup: string) => {
    return orderedUpdate(cgroup.replaceAll(";", "\n"), PROGRAM).join(" ");
  }, cases(CGROUPS));
  assertEquals(orderedUpdate("", PROGRAM), ["/p", "update", "--now"]);
});

Deno.test("orderedUpdate() runs an exact version in a unit of its own, with the service's proxies and runtime", () => {
  const args = (cgroup: string) => orderedUpdate(cgroup, PROGRAM, "1.2.3");
  assertEquals(args("0::/system.slice/agent.service"), [
    ...["systemd-run", "--quiet", "--collect", "--no-block", "--unit=agent-update-1.2.3"],
    "--property=EnvironmentFile=-/etc/agent/environment",
    ...[`--setenv=DENO=${Deno.execPath()}`, "--setenv=DENO_DIR=/p.update/deno"],
    ...["/p", "update", "--now", "--install-version", "1.2.3"],
    ...["--install-service-name", "agent"],
  ]);
  const user = args(`0::/${USER}/app.slice/komari-agent-deno.service`);
  assertEquals(user.slice(0, 3), ["systemd-run", "--user", "--quiet"]);
  assertEquals(user[6], "--property=EnvironmentFile=-%E/komari-agent-deno/environment");
  // The program knows its own service by itself.
  assertEquals(user.slice(-2), ["--install-version", "1.2.3"]);
  assertEquals(args("0::/").join(" "), "/p update --now --install-version 1.2.3");
});
