import { assertEquals, assertThrows } from "@std/assert";
import {
  readReplaced,
  removeReplaced,
  type ReplacedAgent,
  writeReplaced,
} from "../../lib/service/official_backup.ts";

const REPLACED: ReplacedAgent = {
  manager: "systemd",
  scope: "system",
  serviceName: "komari-agent",
  unitPath: "/etc/systemd/system/komari-agent.service",
  binary: "/opt/komari/agent",
  isDone: true,
};

Deno.test("readReplaced() reads what writeReplaced() wrote, until removeReplaced()", () => {
  const folder = Deno.makeTempDirSync();
  try {
    assertEquals(readReplaced(`${folder}/new`), undefined);
    writeReplaced(`${folder}/new`, { ...REPLACED, isDone: false });
    assertEquals(readReplaced(`${folder}/new`), { ...REPLACED, isDone: false });
    writeReplaced(`${folder}/new`, REPLACED);
    assertEquals(readReplaced(`${folder}/new`), REPLACED);
    removeReplaced(`${folder}/new`);
    removeReplaced(`${folder}/new`);
    assertEquals([...Deno.readDirSync(folder)], []);
    writeReplaced(folder, REPLACED);
    Deno.writeTextFileSync(`${folder}/config.json`, "{}");
    removeReplaced(folder);
    assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["config.json"]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("readReplaced() takes no note that is damaged", () => {
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
      assertEquals(readReplaced(folder), undefined, text);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("writeReplaced() says what it can't write", () => {
  assertThrows(() => writeReplaced("/dev/null/x", REPLACED), Error, "Cannot write /dev/null/x");
});
