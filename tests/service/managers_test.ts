import { assertEquals, assertStringIncludes } from "@std/assert";
import { toolLine } from "../../lib/host/tool_runner.ts";
import { install } from "../../lib/service/install.ts";
import { otherSystem, serviceManager } from "../../lib/service/managers.ts";
import { type ManagedService, MANAGERS } from "../../lib/service/service_manager.ts";
import { configOf, FakeSystem } from "./fake_system.ts";
import { SYSTEM_PLAN, USER_PLAN } from "./service_plans.ts";

const SERVICE: ManagedService = {
  name: "komari-agent-deno",
  scope: "system",
  logFile: SYSTEM_PLAN.logFile,
  home: "/home/ann",
  uid: 501,
};

Deno.test("serviceManager() has files and commands for each manager", () => {
  for (const kind of MANAGERS) {
    const manager = serviceManager(kind, SERVICE);
    assertEquals(manager.files(SYSTEM_PLAN).every(({ path }) => path.includes(SERVICE.name)), true);
    for (const commands of [manager.restart, manager.stop, manager.enable({ isUpdated: true })]) {
      assertEquals(commands.length > 0, true, kind);
    }
    // Whoever uninstalls what is gone already must not be stopped by it.
    assertEquals([...manager.stop, ...manager.disable].every(({ mayFail }) => mayFail), true, kind);
  }
});

Deno.test("serviceManager() creates a systemd timer only when updates are on", () => {
  const manager = serviceManager("systemd", SERVICE);
  const paths = (isUpdated: boolean) =>
    manager.files({ ...SYSTEM_PLAN, isUpdated }).map(({ path }) => path.split("/").at(-1));
  assertEquals(paths(true), [
    "komari-agent-deno.service",
    "komari-agent-deno-update.service",
    "komari-agent-deno-update.timer",
  ]);
  assertEquals(paths(false), ["komari-agent-deno.service"]);
  assertEquals(manager.enable({ isUpdated: false }).map(toolLine), [
    "systemctl enable komari-agent-deno.service",
  ]);
});

Deno.test("serviceManager() creates an update service only when updates are on", () => {
  for (const kind of MANAGERS) {
    const manager = serviceManager(kind, SERVICE);
    const lines = (isUpdated: boolean) => manager.enable({ isUpdated }).map(toolLine);
    const update = `${SERVICE.name}-update`;
    const isOfUpdates = (line: string) => line.includes(update);
    assertEquals(lines(true).some(isOfUpdates), true, kind);
    assertEquals(lines(false).some(isOfUpdates), false, kind);
    assertEquals(
      manager.files(SYSTEM_PLAN).map(({ path }) => path).filter(isOfUpdates).length,
      kind === "systemd" ? 2 : 1,
    );
    // Each can be ended without the other: it is an update that restarts the service.
    assertEquals(manager.disableUpdates.map(toolLine).every(isOfUpdates), true, kind);
    const ofService = [...manager.restart, ...manager.stop, ...manager.disable].map(toolLine);
    assertEquals(ofService.some(isOfUpdates), false, kind);
    assertEquals(manager.disableUpdates.every(({ mayFail }) => mayFail), true, kind);
  }
});

Deno.test("serviceManager() updates a Mac user's own agent by a job of that user", () => {
  const { disableUpdates, files } = serviceManager("launchd", { ...SERVICE, scope: "user" });
  assertEquals(disableUpdates.map(toolLine), [
    "launchctl bootout gui/501/komari-agent-deno-update",
  ]);
  assertEquals(files(USER_PLAN).map(({ path }) => path), [
    "/home/ann/Library/LaunchAgents/komari-agent-deno.plist",
    "/home/ann/Library/LaunchAgents/komari-agent-deno-update.plist",
  ]);
});

Deno.test("serviceManager() uses systemctl --user for a user's service", () => {
  const manager = serviceManager("systemd", { ...SERVICE, scope: "user" });
  assertEquals(
    manager.files(USER_PLAN)[0]?.path,
    "/home/ann/.config/systemd/user/komari-agent-deno.service",
  );
  assertEquals(manager.restart.map(toolLine), [
    "systemctl --user restart komari-agent-deno.service",
  ]);
  const { links = [] } = manager.userManager ?? {};
  // Where units are linked to is what they say themselves.
  const wanted = manager.files(USER_PLAN).flatMap(({ path, text }) => {
    const [folder, name] = [path.slice(0, path.lastIndexOf("/")), path.split("/").at(-1)];
    const target = /^WantedBy=(.*)$/m.exec(text)?.[1];
    return target === undefined ? [] : [`${folder}/${target}.wants/${name}`];
  });
  assertEquals(links, wanted);
  assertEquals(serviceManager("systemd", SERVICE).userManager, undefined);
  assertEquals(manager.logHint, "journalctl --user -u komari-agent-deno -f");
});

Deno.test("serviceManager() reloads the property list at each start", () => {
  const manager = serviceManager("launchd", { ...SERVICE, scope: "user" });
  assertEquals(manager.restart.map(toolLine), [
    "launchctl bootout gui/501/komari-agent-deno",
    "launchctl bootstrap gui/501 /home/ann/Library/LaunchAgents/komari-agent-deno.plist",
  ]);
});

for (const kind of MANAGERS) {
  for (const uid of [0, 1000]) {
    Deno.test(`otherSystem() shows an installation under ${kind} on any machine, as user ${uid}`, async () => {
      // A machine of no kind at all, without one tool.
      await using fake = new FakeSystem({ folders: [], fakes: {}, system: { uid } });
      const before = fake.tree();
      const source = { ...fake.system, program: { form: "source", path: "/x/main.ts" } as const };
      const words = ["install", "-e", "https://p.example", "-t", "s3cret", "--print"];
      const config = configOf([...words, "--manager", kind]);
      const { signal } = new AbortController();
      assertEquals(await install(config, otherSystem(source, kind), { signal }), undefined);
      const printed = fake.printed.join("\n");
      const folder = {
        systemd: uid === 0 ? "/etc/systemd/system" : "/root/.config/systemd/user",
        openrc: "/etc/init.d",
        procd: "/etc/init.d",
        launchd: uid === 0 ? "/Library/LaunchDaemons" : "/root/Library/LaunchAgents",
      }[kind];
      assertStringIncludes(printed, `File ${folder}/komari-agent-deno`);
      assertStringIncludes(printed, "a copy of komari-agent-deno");
      assertEquals(printed.includes("s3cret"), false);
      assertEquals([fake.tree(), fake.calls()], [before, []]);
    });
  }
}
