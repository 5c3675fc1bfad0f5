import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { systemdUnitOf } from "../../lib/update/processes.ts";

Deno.test("systemdUnitOf() reads cgroup v1 and v2", () => {
  const found = { name: "agent.service", scope: "system" } as const;
  assertEquals(systemdUnitOf("0::/system.slice/agent.service\n"), found);
  assertEquals(systemdUnitOf("0::/machine/libpod-1/system.slice/agent.service/sub\n"), found);
  const older =
    "12:cpu,cpuacct:/system.slice/cpu.service\n1:name=systemd:/system.slice/agent.service\n0::/\n";
  assertEquals(systemdUnitOf(older), found);
  assertEquals(systemdUnitOf("0::/system.slice/system-x.slice/x@a\\x2db.service"), {
    name: "x@a\\x2db.service",
    scope: "system",
  });
});

Deno.test("systemdUnitOf() distinguishes a user's service from the user's manager", () => {
  const within = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/agent.service\n";
  assertEquals(systemdUnitOf(within), { name: "agent.service", scope: "user" });
  const session = "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n";
  assertEquals(systemdUnitOf(session), undefined);
});

Deno.test("systemdUnitOf() returns undefined for scopes, sessions and containers", () => {
  const others = [
    "",
    "0::/\n",
    "0::/user.slice/user-0.slice/session-1.scope\n",
    "0::/system.slice/run-r1.scope\n",
    "2:memory:/system.slice/agent.service\n",
    "0::/system.slice/--help;x.service\n",
    "agent.service",
  ];
  for (const text of others) assertEquals(systemdUnitOf(text), undefined, text);
});

Deno.test("systemdUnitOf() returns a plain name or undefined for any text", () => {
  fc.assert(fc.property(fc.string(), (path) => {
    const name = systemdUnitOf(`0::/${path}.service`)?.name;
    assertEquals(name === undefined || /^[\w@:.\\-]+$/.test(name), true);
  }));
});
