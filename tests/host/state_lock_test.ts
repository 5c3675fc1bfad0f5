import { assert, assertEquals, assertThrows } from "@std/assert";
import { isFolderLocked, lockFolder } from "../../lib/host/state_lock.ts";

Deno.test("lockFolder() makes the folder, for its owner alone, and gives it to one at a time", () => {
  const parent = Deno.makeTempDirSync({ prefix: "state-lock-" });
  try {
    const folder = `${parent}/a/b`;
    assertEquals(isFolderLocked(folder), false);
    const lock = lockFolder(folder);
    assert(lock !== undefined);
    assertEquals((Deno.statSync(folder).mode ?? 0) & 0o777, 0o700);
    assertEquals(lockFolder(folder), undefined);
    assertEquals(isFolderLocked(folder), true);
    lock.close();
    assertEquals(isFolderLocked(folder), false);
    lockFolder(folder)?.close();
  } finally {
    Deno.removeSync(parent, { recursive: true });
  }
});

Deno.test("lockFolder() throws where no folder can be", () => {
  assertThrows(() => lockFolder("/dev/null/state"), Error, "Cannot use the folder /dev/null/state");
});

Deno.test("lockFolder() leaves nothing behind a process that was killed", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "state-lock-" });
  const url = new URL("../../lib/host/state_lock.ts", import.meta.url).href;
  const code = `import { lockFolder } from "${url}";
    globalThis.kept = lockFolder(${JSON.stringify(folder)});
    console.log("locked"); setInterval(() => {}, 1000);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", code],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  try {
    const reader = child.stdout.getReader();
    await reader.read();
    assertEquals(lockFolder(folder), undefined);
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    const lock = lockFolder(folder);
    assert(lock !== undefined);
    lock.close();
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
