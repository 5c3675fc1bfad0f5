import { assertEquals, assertRejects } from "@std/assert";
import { toolLine } from "../../lib/host/tool_runner.ts";
import { OfficialService } from "../../lib/service/official_service.ts";
import { FakeTime } from "../fake_time.ts";
import { FakeTools } from "./fake_tools.ts";

const OFFICIAL = {
  manager: "systemd",
  scope: "system",
  serviceName: "komari-agent",
  unitPath: "/etc/systemd/system/komari-agent.service",
  binary: "/opt/komari/agent",
} as const;
const NEVER = new AbortController().signal;

function createCommands(): { tools: FakeTools; official: OfficialService } {
  const tools = new FakeTools();
  return { tools, official: new OfficialService(OFFICIAL, { tools, home: "/root", uid: 0 }) };
}

/** Starts it, in no time. */
async function start(official: OfficialService): Promise<void> {
  using time = new FakeTime();
  const starting = official.start(NEVER);
  starting.catch(() => {});
  await time.run(3_000);
  return await starting;
}

Deno.test("OfficialService.stop() stops the service and checks that it stopped", async () => {
  const { tools, official } = createCommands();
  tools.answer = (line) => line.includes("is-active") ? 3 : undefined;
  await official.stop(NEVER);
  assertEquals(tools.lines.includes("systemctl stop komari-agent.service"), true);
  tools.answer = () => undefined;
  await assertRejects(() => official.stop(NEVER), Error, "Cannot stop komari-agent");
});

Deno.test("OfficialService.start() enables and starts the service and checks that it keeps running", async () => {
  const { tools, official } = createCommands();
  await start(official);
  assertEquals(tools.lines, [
    "systemctl enable komari-agent.service",
    "systemctl restart komari-agent.service",
    ...Array(6).fill("systemctl is-active --quiet komari-agent.service"),
  ]);
});

Deno.test("OfficialService.start() throws when the service exits", async () => {
  const { tools, official } = createCommands();
  let looks = 0;
  tools.answer = (line) => line.includes("is-active") && ++looks === 2 ? 3 : undefined;
  await assertRejects(() => start(official), Error, "it exited within");
});

Deno.test("OfficialService.start() throws when the service can't be started", async () => {
  const { tools, official } = createCommands();
  tools.answer = (line) => line.includes("restart") ? 5 : undefined;
  await assertRejects(() => start(official), Error, "systemctl restart komari-agent");
});

Deno.test("OfficialService.disable() disables the service", async () => {
  const { tools, official } = createCommands();
  await official.disable(NEVER);
  assertEquals(tools.lines.includes("systemctl disable komari-agent.service"), true);
});

Deno.test("OfficialService runs each manager's commands on one service only", () => {
  const at = (official: ConstructorParameters<typeof OfficialService>[0]) => {
    const made = new OfficialService(official, { tools: new FakeTools(), home: "/root", uid: 501 });
    return [made.stopCommands, made.disableCommands, made.startCommands].map((them) =>
      them.map(toolLine)
    );
  };
  const unit = "komari-agent.service";
  assertEquals(at(OFFICIAL), [
    [`systemctl stop ${unit}`],
    [`systemctl disable ${unit}`, `systemctl reset-failed ${unit}`],
    [`systemctl enable ${unit}`, `systemctl restart ${unit}`],
  ]);
  const script = "/etc/init.d/komari-agent";
  assertEquals(at({ ...OFFICIAL, manager: "procd", unitPath: script }), [
    [`${script} stop`],
    [`${script} disable`],
    [`${script} enable`, `${script} restart`],
  ]);
  const label = "com.komari.komari-agent";
  const [stopCommands, , startCommands] = at({
    ...OFFICIAL,
    manager: "launchd",
    serviceName: label,
  });
  assertEquals(stopCommands, [`launchctl bootout system/${label}`]);
  assertEquals(
    startCommands?.at(-1),
    `launchctl bootstrap system /Library/LaunchDaemons/${label}.plist`,
  );
});
