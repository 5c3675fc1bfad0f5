import { assertEquals, assertRejects } from "@std/assert";
import { applySteps } from "../../lib/service/install_step.ts";
import {
  type OfficialRecord,
  officialRecordStep,
  readOfficialRecord,
  removeOfficialRecord,
  stopOfficial,
} from "../../lib/service/official_service.ts";
import { currentSystem, type TargetSystem } from "../../lib/service/target_system.ts";
import { inFolder } from "../temp_folder.ts";
import { FakeTools } from "./fake_tools.ts";

const OFFICIAL = {
  manager: "systemd",
  scope: "system",
  serviceName: "komari-agent",
} as const;
const REPLACED: OfficialRecord = { ...OFFICIAL, isDone: true };
const NEVER = new AbortController().signal;

function createSystem(): { tools: FakeTools; system: TargetSystem } {
  const tools = new FakeTools();
  return { tools, system: { ...currentSystem({ env: {}, printLine() {} }), tools, uid: 0 } };
}

async function write(folder: string, record: OfficialRecord): Promise<void> {
  await applySteps([officialRecordStep(folder, record)], createSystem().system, NEVER);
}

inFolder.test("readOfficialRecord() reads what officialRecordStep() wrote until it is removed", async ({ path }) => {
  const folder = `${path}/new`;
  assertEquals(readOfficialRecord(folder), undefined);
  const ofUser = { ...REPLACED, manager: "launchd", scope: "user" } as const;
  for (const record of [{ ...REPLACED, isDone: false }, ofUser, REPLACED]) {
    await write(folder, record);
    assertEquals(readOfficialRecord(folder), record);
  }
  const { mode, text } = officialRecordStep(folder, { ...REPLACED, ...{ args: ["-t", "s3cret"] } });
  assertEquals([mode, JSON.parse(text)], [0o644, REPLACED], "all may read it, so it has no secret");
  await removeOfficialRecord(folder);
  await removeOfficialRecord(folder);
  assertEquals([...Deno.readDirSync(path)], [], "its folder, too");
  await write(path, REPLACED);
  Deno.writeTextFileSync(`${path}/config.json`, "{}");
  await removeOfficialRecord(path);
  assertEquals(Array.from(Deno.readDirSync(path), ({ name }) => name), ["config.json"]);
  await assertRejects(() => write("/dev/null/x", REPLACED), Error, "Cannot create /dev/null/x");
});

inFolder.test("readOfficialRecord() takes none that is damaged, and done only where it says so", ({ path }) => {
  const of = (text: string) => {
    Deno.writeTextFileSync(`${path}/replaced.json`, text);
    return readOfficialRecord(path)?.isDone;
  };
  const bad = [{ manager: "upstart" }, { serviceName: undefined }];
  const texts = bad.map((change) => JSON.stringify({ ...REPLACED, ...change }));
  for (const text of ["", "null", "[]", ...texts]) assertEquals(of(text), undefined, text);
  for (const isDone of [undefined, null, 1, "true", true]) {
    assertEquals(of(JSON.stringify({ ...REPLACED, isDone })), isDone === true, String(isDone));
  }
});

Deno.test("stopOfficial() stops the service and checks that it stopped", async () => {
  const { tools, system } = createSystem();
  tools.answer = (line) => line.includes("is-active") ? 3 : undefined;
  await stopOfficial(OFFICIAL, system, NEVER);
  assertEquals(tools.lines.includes("systemctl stop komari-agent.service"), true);
  tools.answer = () => undefined;
  await assertRejects(() => stopOfficial(OFFICIAL, system, NEVER), Error, "Cannot stop komari-a");
});
