import { assertEquals, assertStringIncludes } from "@std/assert";
import { checkStateFolder } from "../../lib/cli/doctor_state.ts";
import type { Config } from "../../lib/config/config.ts";
import { inContainerImage } from "./container_image.ts";
import { configOf as resolved } from "./fake_context.ts";
import { problemHealth } from "./seen_health.ts";

function configOf(...args: readonly string[]): Config {
  return resolved(["doctor", ...args]);
}

Deno.test("checkStateFolder() gives the advice that fits the problem of the agent's state", async () => {
  const config = configOf("--month-rotate", "1", "--state-dir", "/srv/state");
  const table: [reason: string, advice: string][] = [
    ["No space left on device", "make room on the disk of /srv/state"],
    ["Disk quota exceeded", "make room on the disk of /srv/state"],
    ["another agent uses it", "give each agent a --state-dir of its own"],
    ["Read-only file system", "make its disk writable (mount -o remount,rw)"],
    ["the folder was deleted", "repair that, and restart the agent"],
    ["restart the agent", "repair that, and restart the agent"],
    ["permission denied", "give the folder to the agent's user (chown)"],
  ];
  for (const [reason, advice] of table) {
    const found = await checkStateFolder(config, problemHealth("state", reason));
    assertEquals(found.status, "failed");
    assertStringIncludes(found.text, `the running agent says: the month's traffic can't be kept: `);
    assertStringIncludes(found.advice ?? "", advice, reason);
  }
});

Deno.test("checkStateFolder() leaves the folder alone that no option needs", async () => {
  const { status } = await checkStateFolder(configOf("--state-dir", "/nowhere"), undefined);
  assertEquals(status, "skipped");
  const key = ["--auto-discovery", "key-of-the-panel", "--state-dir"];
  const folder = Deno.makeTempDirSync();
  try {
    const found = await checkStateFolder(configOf(...key, folder), undefined);
    assertEquals([found.status, found.text], ["ok", folder]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("in the container image checkStateFolder() has advice about the container", async () => {
  await inContainerImage(async () => {
    const state = ["--month-rotate", "1", "--state-dir", "/srv/state"];
    const denied = await checkStateFolder(configOf(...state), problemHealth("state", "denied"));
    assertEquals(
      denied.advice,
      "give the container a volume at /srv/state that its user can write",
    );
    const full = problemHealth("state", "No space left");
    assertStringIncludes(
      (await checkStateFolder(configOf(...state), full)).advice ?? "",
      "make room",
    );
  });
});
