import { assertEquals, assertRejects } from "@std/assert";
import { HealthFile } from "../../lib/state/health_file.ts";
import { waitForReport } from "../../lib/service/install.ts";

const { signal } = new AbortController();
const ABOUT = { version: "1.0.0", intervalMs: 1000 };

Deno.test("waitForReport() returns true at the first accepted report", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const wait = { timeoutMs: 60_000, pollIntervalMs: 1 };
    const sinceMs = Date.now() - 1000;
    const waiting = waitForReport({ folder, sinceMs, wait }, signal);
    const health = HealthFile.open([folder], ABOUT);
    health?.accepted(3000);
    assertEquals(await waiting, true);
    const later = {
      folder,
      sinceMs: Date.now() + 60_000,
      wait: { timeoutMs: 3, pollIntervalMs: 1 },
    };
    assertEquals(await waitForReport(later, signal), false);
    health?.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("waitForReport() ignores the health file of a dead agent", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/health`, JSON.stringify({ pid: 1, ...ABOUT }));
    const wait = { timeoutMs: 3, pollIntervalMs: 1 };
    assertEquals(await waitForReport({ folder, sinceMs: 0, wait }, signal), false);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("waitForReport() stops when aborted", async () => {
  const wait = { timeoutMs: 60_000, pollIntervalMs: 60_000 };
  await assertRejects(
    () => waitForReport({ folder: "/nowhere", sinceMs: 0, wait }, AbortSignal.timeout(1)),
    DOMException,
  );
});
