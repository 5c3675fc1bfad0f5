import { assertEquals, assertRejects } from "@std/assert";
import { HealthFile } from "../../lib/state/health_file.ts";
import { waitForReports } from "../../lib/service/install_trial.ts";
import { FakeTime } from "../fake_time.ts";

const { signal } = new AbortController();
const panels = ["p.example"];
const ABOUT = { version: "1.0.0", intervalMs: 1000 };

Deno.test("waitForReports() returns true at the first accepted report", async () => {
  const folder = await Deno.makeTempDir();
  using time = new FakeTime({ now: Date.now() });
  try {
    const sinceMs = Date.now() - 1000;
    const waiting = waitForReports({ folder, sinceMs, panels }, signal);
    const health = HealthFile.open([folder], ABOUT);
    await time.run(29_000);
    health?.accepted(3000);
    await time.run(250);
    assertEquals((await waiting)[0]?.isAccepted, true);
    const later = waitForReports({ folder, sinceMs: Date.now() + 60_000, panels }, signal);
    await time.run(30_000);
    assertEquals((await later)[0]?.isAccepted, false);
    health?.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("waitForReports() ignores the health file of a dead agent", async () => {
  const folder = await Deno.makeTempDir();
  using time = new FakeTime();
  try {
    await Deno.writeTextFile(`${folder}/health`, JSON.stringify({ pid: 1, ...ABOUT }));
    const waiting = waitForReports({ folder, sinceMs: 0, panels }, signal);
    await time.run(30_000);
    assertEquals((await waiting)[0]?.isAccepted, false);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("waitForReports() stops when aborted", async () => {
  using _time = new FakeTime();
  const user = new AbortController();
  const waiting = waitForReports({ folder: "/nowhere", sinceMs: 0, panels }, user.signal);
  user.abort();
  await assertRejects(() => waiting, DOMException);
});
