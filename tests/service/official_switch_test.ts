import { assertEquals, assertRejects } from "@std/assert";
import { toolLine } from "../../lib/host/tool_runner.ts";
import { OfficialSwitch } from "../../lib/service/official_switch.ts";
import { FakeTools } from "./fake_tools.ts";

const OFFICIAL = {
  manager: "systemd",
  scope: "system",
  serviceName: "komari-agent",
  unitPath: "/etc/systemd/system/komari-agent.service",
  binary: "/opt/komari/agent",
} as const;
const PACE = { steadyMs: 3, beatMs: 1 };
const NEVER = new AbortController().signal;

function make(): { tools: FakeTools; official: OfficialSwitch } {
  const tools = new FakeTools();
  return {
    tools,
    official: new OfficialSwitch(OFFICIAL, { tools, home: "/root", uid: 0, pace: PACE }),
  };
}

Deno.test("OfficialSwitch stop() stops the service and makes sure of it", async () => {
  const { tools, official } = make();
  tools.answer = (line) => line.includes("is-active") ? 3 : undefined;
  await official.stop(NEVER);
  assertEquals(tools.lines.includes("systemctl stop komari-agent.service"), true);
  tools.answer = () => undefined;
  await assertRejects(() => official.stop(NEVER), Error, "Cannot stop komari-agent");
});

Deno.test("OfficialSwitch bringBack() enables and starts it and sees it run on", async () => {
  const { tools, official } = make();
  await official.bringBack(NEVER);
  assertEquals(tools.lines, [
    "systemctl enable komari-agent.service",
    "systemctl restart komari-agent.service",
    ...Array(3).fill("systemctl is-active --quiet komari-agent.service"),
  ]);
});

Deno.test("OfficialSwitch bringBack() fails when it starts and ends", async () => {
  const { tools, official } = make();
  let looks = 0;
  tools.answer = (line) => line.includes("is-active") && ++looks === 2 ? 3 : undefined;
  await assertRejects(() => official.bringBack(NEVER), Error, "does not go on running");
});

Deno.test("OfficialSwitch bringBack() fails when it can't be started", async () => {
  const { tools, official } = make();
  tools.answer = (line) => line.includes("restart") ? 5 : undefined;
  await assertRejects(() => official.bringBack(NEVER), Error, "systemctl restart komari-agent");
});

Deno.test("OfficialSwitch disable() keeps it from starting with the machine", async () => {
  const { tools, official } = make();
  await official.disable(NEVER);
  assertEquals(tools.lines.includes("systemctl disable komari-agent.service"), true);
});

Deno.test("OfficialSwitch runs what each manager understands, on no service but the one", () => {
  const at = (official: ConstructorParameters<typeof OfficialSwitch>[0]) => {
    const made = new OfficialSwitch(official, { tools: new FakeTools(), home: "/root", uid: 501 });
    return [made.stopping, made.disabling, made.starting].map((them) => them.map(toolLine));
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
  const [stopping, , starting] = at({ ...OFFICIAL, manager: "launchd", serviceName: label });
  assertEquals(stopping, [`launchctl bootout system/${label}`]);
  assertEquals(
    starting?.at(-1),
    `launchctl bootstrap system /Library/LaunchDaemons/${label}.plist`,
  );
});
