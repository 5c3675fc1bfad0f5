import { assertEquals, assertRejects } from "@std/assert";
import { toolLine } from "../../lib/host/tool_runner.ts";
import { officialManager } from "../../lib/service/managers.ts";
import type { OfficialService } from "../../lib/service/official_record.ts";
import { startOfficial, stopOfficial } from "../../lib/service/official_service.ts";
import { currentSystem, type TargetSystem } from "../../lib/service/target_system.ts";
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

function createSystem(): { tools: FakeTools; system: TargetSystem } {
  const tools = new FakeTools();
  return { tools, system: { ...currentSystem({ env: {}, printLine() {} }), tools, uid: 0 } };
}

/** Starts it, in no time. */
async function start(system: TargetSystem): Promise<void> {
  using time = new FakeTime();
  const starting = startOfficial(OFFICIAL, system, NEVER);
  starting.catch(() => {});
  await time.run(3_000);
  return await starting;
}

Deno.test("stopOfficial() stops the service and checks that it stopped", async () => {
  const { tools, system } = createSystem();
  tools.answer = (line) => line.includes("is-active") ? 3 : undefined;
  await stopOfficial(OFFICIAL, system, NEVER);
  assertEquals(tools.lines.includes("systemctl stop komari-agent.service"), true);
  tools.answer = () => undefined;
  const stopping = () => stopOfficial(OFFICIAL, system, NEVER);
  await assertRejects(stopping, Error, "Cannot stop komari-agent");
});

Deno.test("startOfficial() enables and starts the service and checks that it keeps running", async () => {
  const { tools, system } = createSystem();
  await start(system);
  assertEquals(tools.lines, [
    "systemctl enable komari-agent.service",
    "systemctl restart komari-agent.service",
    ...Array(6).fill("systemctl is-active --quiet komari-agent.service"),
  ]);
});

Deno.test("startOfficial() throws when the service can't be started, or exits", async () => {
  const { tools, system } = createSystem();
  let looks = 0;
  tools.answer = (line) => line.includes("is-active") && ++looks === 2 ? 3 : undefined;
  await assertRejects(() => start(system), Error, "it exited within");
  tools.answer = (line) => line.includes("restart") ? 5 : undefined;
  await assertRejects(() => start(system), Error, "systemctl restart komari-agent");
});

Deno.test("startOfficial() waits no longer when it is aborted", async () => {
  const { tools, system } = createSystem();
  const user = new AbortController();
  tools.answer = (line) => line.includes("restart") ? void user.abort(new Error("stopped")) : 0;
  using _time = new FakeTime();
  await assertRejects(() => startOfficial(OFFICIAL, system, user.signal), Error, "stopped");
});

Deno.test("officialManager() runs each manager's commands on one service only", () => {
  const at = (official: OfficialService) => {
    const { stop, disable, enable, restart } = officialManager(official, {
      home: "/root",
      uid: 501,
    });
    return [stop, disable, [...enable, ...restart]].map((them) => them.map(toolLine));
  };
  const unit = "komari-agent.service";
  assertEquals(at(OFFICIAL), [
    [`systemctl stop ${unit}`],
    [`systemctl disable ${unit}`, `systemctl reset-failed ${unit}`],
    [`systemctl enable ${unit}`, `systemctl restart ${unit}`],
  ]);
  const label = "com.komari.komari-agent";
  const [stop, , start] = at({ ...OFFICIAL, manager: "launchd", serviceName: label });
  assertEquals(stop, [`launchctl bootout system/${label}`]);
  const plist = `/Library/LaunchDaemons/${label}.plist`;
  assertEquals(start?.at(-1), `launchctl bootstrap system ${plist}`);
});
