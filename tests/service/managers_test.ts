import { assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { toolLine } from "../../lib/host/tool_runner.ts";
import { detectManager, requireManager, serviceManager } from "../../lib/service/managers.ts";
import {
  type ManagedService,
  type ManagerKind,
  MANAGERS,
  type ServiceScope,
} from "../../lib/service/service_manager.ts";
import { currentSystem } from "../../lib/service/target_system.ts";
import { type Fakes, FakeSystem } from "./fake_system.ts";
import { golden, SYSTEM_PLAN, USER_PLAN } from "./service_plans.ts";

const SERVICE: ManagedService = {
  name: "komari-agent-deno",
  scope: "system",
  logFile: SYSTEM_PLAN.logFile,
  home: "/home/ann",
  uid: 501,
};

/** All that a manager writes and runs, a line each; `?` follows what may fail. */
function listing(kind: ManagerKind, scope: ServiceScope): string[] {
  const manager = serviceManager(kind, { ...SERVICE, scope });
  const plan = scope === "user" ? USER_PLAN : SYSTEM_PLAN;
  const files = [...manager.files(plan), ...manager.updateFiles(plan)];
  const { reload, enable, enableUpdates, restart, stop, disable, disableUpdates } = manager;
  const { isActive, isEnabled, logTail, logHint, answers } = manager;
  const commands = {
    ...{ reload, enable, enableUpdates, restart, stop, disable, disableUpdates },
    ...{ isActive: [isActive], isEnabled: [isEnabled], logTail: [logTail] },
    answers: answers === undefined ? [] : [answers],
  };
  return [
    `${kind} ${scope}`,
    ...files.map(({ path, mode }) => `  file ${path} ${mode.toString(8)}`),
    ...Object.entries(commands).flatMap(([name, them]) =>
      them.map((it) => `  ${name} ${toolLine(it)}${it.mayFail ? " ?" : ""}`)
    ),
    `  logHint ${logHint}`,
  ];
}

Deno.test("serviceManager() writes these files and runs these commands", () => {
  const all = [
    ...MANAGERS.flatMap((kind) => listing(kind, "system")),
    ...listing("systemd", "user"),
    ...listing("launchd", "user"),
  ];
  assertEquals(`${all.join("\n")}\n`, golden("commands.txt"));
});

Deno.test("requireManager() gives the last line of a user's manager, else its exit code", async () => {
  const { signal } = new AbortController();
  const system = currentSystem({ env: {}, printLine() {} });
  const require = (scope: ServiceScope, code: number, output: string) => {
    const tools = { has: () => true, run: () => Promise.resolve({ code, output }) };
    const manager = serviceManager("systemd", { ...SERVICE, scope });
    return requireManager(manager, { ...system, tools }, signal);
  };
  await assertRejects(() => require("user", 1, "a\nno medium found\n"), UsageError, "(no medium");
  await assertRejects(() => require("user", 4, "\n"), UsageError, "systemctl exited with code 4");
  await require("user", 0, "Version=252");
  await require("system", 1, "no medium found");
});

async function detected(folders: string[], fakes: Fakes = {}, system = {}): Promise<string> {
  await using fake = new FakeSystem({ folders, fakes, system });
  return detectManager(fake.system);
}

Deno.test("detectManager() detects the running manager, not an installed one", async () => {
  assertEquals(await detected(["run/systemd/system", "run/openrc"]), "systemd");
  assertEquals(await detected(["run/openrc"], { "rc-service": "" }), "openrc");
  assertEquals(await detected([], {}, { os: "darwin" }), "launchd");
  assertEquals(await detected(["run/systemd/system"], {}, { uid: 1000 }), "systemd");
});

Deno.test("detectManager() throws when there is no manager, or none for users", async () => {
  const refused = async (why: string, ...machine: Parameters<typeof detected>) =>
    void await assertRejects(() => detected(...machine), UsageError, why);
  await refused("neither systemd", ["usr/lib/systemd/system"]);
  // Containers of Alpine have the folder, and nothing that starts services.
  await refused("neither systemd", ["run/openrc"]);
  const fakes = { "rc-service": "" };
  await refused("openrc has no services of users", ["run/openrc"], fakes, { uid: 1000 });
});
