import { assertEquals, assertRejects } from "@std/assert";
import { HealthFile } from "../../lib/state/health_file.ts";
import { waitForReport } from "../../lib/service/install.ts";
import { FakeTime } from "../fake_time.ts";

const { signal } = new AbortController();
const ABOUT = { version: "1.0.0", intervalMs: 1000 };

Deno.test("waitForReport() returns true at the first accepted report", async () => {
  const folder = await Deno.makeTempDir();
  using time = new FakeTime({ now: Date.now() });
  try {
    const sinceMs = Date.now() - 1000;
    const waiting = waitForReport({ folder, sinceMs }, signal);
    const health = HealthFile.open([folder], ABOUT);
    await time.run(29_000);
    health?.accepted(3000);
    await time.run(250);
    assertEquals(await waiting, true);
    const later = waitForReport({ folder, sinceMs: Date.now() + 60_000 }, signal);
    await time.run(30_000);
    assertEquals(await later, false);
    health?.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("waitForReport() ignores the health file of a dead agent", async () => {
  const folder = await Deno.makeTempDir();
  using time = new FakeTime();
  try {
    await Deno.writeTextFile(`${folder}/health`, JSON.stringify({ pid: 1, ...ABOUT }));
    const waiting = waitForReport({ folder, sinceMs: 0 }, signal);
    await time.run(30_000);
    assertEquals(await waiting, false);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("waitForReport() stops when aborted", async () => {
  using _time = new FakeTime();
  const user = new AbortController();
  const waiting = waitForReport({ folder: "/nowhere", sinceMs: 0 }, user.signal);
  user.abort();
  await assertRejects(() => waiting, DOMException);
});
