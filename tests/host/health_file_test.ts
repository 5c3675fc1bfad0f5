import { assert, assertEquals } from "@std/assert";
import { HealthFile, readHealth } from "../../lib/host/health_file.ts";

const ABOUT = { version: "1.2.3", intervalMs: 3000 };

function withFolder(use: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "health-" });
  try {
    use(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("HealthFile tells of the last accepted report, and is gone when the agent ends", () => {
  withFolder((parent) => {
    const folder = `${parent}/run`;
    assertEquals(readHealth([folder]), undefined);
    const file = HealthFile.open(["/dev/null/run", folder], ABOUT);
    assert(file !== undefined);
    const before = { ...ABOUT, pid: Deno.pid, isRunning: true, acceptedAtMs: undefined };
    assertEquals(readHealth(["/nowhere", folder]), before);
    const soonest = Date.now();
    file.accepted();
    const { acceptedAtMs = 0 } = readHealth([folder]) ?? {};
    assert(acceptedAtMs >= soonest - 1 && acceptedAtMs <= Date.now(), `${acceptedAtMs}`);
    file.close();
    assertEquals(readHealth([folder]), undefined);
  });
});

Deno.test("HealthFile.open() leaves a file to the agent that has it", () => {
  withFolder((folder) => {
    const first = HealthFile.open([folder], ABOUT);
    assertEquals(HealthFile.open([folder], { version: "2", intervalMs: 1 }), undefined);
    assertEquals(readHealth([folder])?.version, "1.2.3");
    first?.close();
  });
});

Deno.test("HealthFile.open() follows no link that somebody has put there", () => {
  withFolder((parent) => {
    Deno.mkdirSync(`${parent}/theirs`);
    Deno.symlinkSync(`${parent}/theirs`, `${parent}/run`);
    assertEquals(HealthFile.open([`${parent}/run`], ABOUT), undefined);
    assertEquals([...Deno.readDirSync(`${parent}/theirs`)], []);
  });
});

Deno.test("readHealth() says of an agent that was killed that it does not run", () => {
  withFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/health`, JSON.stringify({ pid: 1, ...ABOUT }));
    assertEquals(readHealth([folder])?.isRunning, false);
  });
});

Deno.test("readHealth() takes nothing that no agent has written", () => {
  withFolder((folder) => {
    for (const text of ["", "{", "null", "[]", '{"pid":"1"}', "1", `"${"x".repeat(2000)}"`]) {
      Deno.writeTextFileSync(`${folder}/health`, text);
      assertEquals(readHealth([folder]), undefined, text);
    }
  });
});
