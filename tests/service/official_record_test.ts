import { assertEquals, assertRejects } from "@std/assert";
import { applySteps } from "../../lib/service/install_step.ts";
import {
  type OfficialRecord,
  officialRecordStep,
  readOfficialRecord,
  removeOfficialRecord,
} from "../../lib/service/official_record.ts";
import { FakeSystem } from "./fake_system.ts";
import { inFolder } from "../temp_folder.ts";

const REPLACED: OfficialRecord = {
  manager: "systemd",
  scope: "system",
  serviceName: "komari-agent",
  unitPath: "/etc/systemd/system/komari-agent.service",
  binary: "/opt/komari/agent",
  isDone: true,
};

async function write(folder: string, record: OfficialRecord): Promise<void> {
  await using machine = new FakeSystem({ folders: [], fakes: {} });
  const { signal } = new AbortController();
  const system = { ...machine.system, root: "" };
  await applySteps([officialRecordStep(folder, record)], system, signal);
}

inFolder.test("readOfficialRecord() reads what officialRecordStep() wrote until it is removed", async (folder) => {
  assertEquals(readOfficialRecord(`${folder.path}/new`), undefined);
  await write(`${folder.path}/new`, { ...REPLACED, isDone: false });
  assertEquals(readOfficialRecord(`${folder.path}/new`), { ...REPLACED, isDone: false });
  const ofUser = { ...REPLACED, manager: "launchd", scope: "user" } as const;
  await write(`${folder.path}/new`, ofUser);
  assertEquals(readOfficialRecord(`${folder.path}/new`), ofUser);
  await write(`${folder.path}/new`, REPLACED);
  assertEquals(readOfficialRecord(`${folder.path}/new`), REPLACED);
  await removeOfficialRecord(`${folder.path}/new`);
  await removeOfficialRecord(`${folder.path}/new`);
  assertEquals([...Deno.readDirSync(folder.path)], []);
  await write(folder.path, REPLACED);
  Deno.writeTextFileSync(`${folder.path}/config.json`, "{}");
  await removeOfficialRecord(folder.path);
  assertEquals(Array.from(Deno.readDirSync(folder.path), ({ name }) => name), ["config.json"]);
  // A folder with a file in it is not removed as a file.
  for (const name of ["replaced.json", "replaced.json.new"]) {
    Deno.mkdirSync(`${folder.path}/${name}/file`, { recursive: true });
    await assertRejects(() => removeOfficialRecord(folder.path), Error);
    Deno.removeSync(`${folder.path}/${name}`, { recursive: true });
  }
});

inFolder.test("readOfficialRecord() returns undefined when the record is damaged", (folder) => {
  const texts = [
    "",
    "null",
    "[]",
    '{"manager": "systemd"}',
    JSON.stringify({ ...REPLACED, manager: "upstart" }),
    JSON.stringify({ ...REPLACED, binary: 5 }),
  ];
  for (const text of texts) {
    Deno.writeTextFileSync(`${folder.path}/replaced.json`, text);
    assertEquals(readOfficialRecord(folder.path), undefined, text);
  }
});

Deno.test("officialRecordStep() throws when it can't be written", async () => {
  await assertRejects(() => write("/dev/null/x", REPLACED), Error, "Cannot create /dev/null/x");
});

Deno.test("officialRecordStep() writes a file that everybody may read, and nothing secret", () => {
  const more = { ...REPLACED, args: ["-t", "s3cret"], env: { HTTP_PROXY: "http://s3cret@p" } };
  const { path, mode, text } = officialRecordStep("/etc/x", more);
  assertEquals([path, mode], ["/etc/x/replaced.json", 0o644]);
  assertEquals(JSON.parse(text), { ...REPLACED });
});

Deno.test("readOfficialRecord() takes a replacement for done only when the record says so", async () => {
  await using fake = new FakeSystem({ folders: [], fakes: {} });
  const fields = { manager: "openrc", serviceName: "a", unitPath: "/etc/init.d/a", binary: "/a" };
  for (const isDone of [undefined, null, 1, "true", true]) {
    fake.write("/etc/x/replaced.json", JSON.stringify({ ...fields, isDone }));
    assertEquals(readOfficialRecord(`${fake.root}/etc/x`)?.isDone, isDone === true, String(isDone));
  }
});
