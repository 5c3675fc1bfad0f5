import { assertEquals, assertRejects } from "@std/assert";
import {
  type OfficialRecord,
  readOfficialRecord,
  removeOfficialRecord,
  writeOfficialRecord,
} from "../../lib/service/official_record.ts";

const REPLACED: OfficialRecord = {
  manager: "systemd",
  scope: "system",
  serviceName: "komari-agent",
  unitPath: "/etc/systemd/system/komari-agent.service",
  binary: "/opt/komari/agent",
  isDone: true,
};

Deno.test("readOfficialRecord() reads what writeOfficialRecord() wrote until it is removed", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    assertEquals(readOfficialRecord(`${folder}/new`), undefined);
    await writeOfficialRecord(`${folder}/new`, { ...REPLACED, isDone: false });
    assertEquals(readOfficialRecord(`${folder}/new`), { ...REPLACED, isDone: false });
    await writeOfficialRecord(`${folder}/new`, REPLACED);
    assertEquals(readOfficialRecord(`${folder}/new`), REPLACED);
    await removeOfficialRecord(`${folder}/new`);
    await removeOfficialRecord(`${folder}/new`);
    assertEquals([...Deno.readDirSync(folder)], []);
    await writeOfficialRecord(folder, REPLACED);
    Deno.writeTextFileSync(`${folder}/config.json`, "{}");
    await removeOfficialRecord(folder);
    assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["config.json"]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("readOfficialRecord() returns undefined when the record is damaged", () => {
  const folder = Deno.makeTempDirSync();
  try {
    for (
      const text of [
        "",
        "null",
        "[]",
        '{"manager": "systemd"}',
        JSON.stringify({ ...REPLACED, manager: "upstart" }),
        JSON.stringify({ ...REPLACED, binary: 5 }),
      ]
    ) {
      Deno.writeTextFileSync(`${folder}/replaced.json`, text);
      assertEquals(readOfficialRecord(folder), undefined, text);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("writeOfficialRecord() throws when it can't write", async () => {
  await assertRejects(
    () => writeOfficialRecord("/dev/null/x", REPLACED),
    Error,
    "Cannot write /dev/null/x",
  );
});
