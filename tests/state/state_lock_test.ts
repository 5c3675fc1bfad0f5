import { assertEquals, assertThrows } from "@std/assert";
import { inClosedFolder } from "../closed_folder.ts";
import { openBelow } from "../open_below.ts";
import { FolderLock, isFolderLocked } from "../../lib/state/state_lock.ts";
import { replaced } from "../replaced.ts";
import { inFolder } from "../temp_folder.ts";

/** Whether the folder could be locked just now. */
function canLock(folder: string): boolean {
  using lock = FolderLock.open(folder);
  return lock.tryLock();
}

inFolder.test("FolderLock makes the folder, for its owner alone, and gives it to one at a time", (parent) => {
  const folder = `${parent.path}/a/b`;
  assertEquals(isFolderLocked(folder), false);
  const lock = FolderLock.open(folder);
  assertEquals(isFolderLocked(folder), false, "it is only open");
  assertEquals(lock.tryLock(), true);
  const mode = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;
  assertEquals([folder, `${folder}/lock`].map(mode), [0o700, 0o600]);
  assertEquals(canLock(folder), false);
  assertEquals(isFolderLocked(folder), true);
  lock.unlock();
  assertEquals(canLock(folder), true);
  assertEquals(lock.tryLock(), true);
  lock[Symbol.dispose]();
  assertEquals(isFolderLocked(folder), false);
  assertEquals(canLock(folder), true);
  assertEquals(openBelow(folder), [], "nothing stays open");
});

inFolder.test("FolderLock releases its lock before it closes the file, of which a child may have a copy, as a look does", ({ path }) => {
  const { openSync } = Deno;
  const leftOpen = { close() {}, [Symbol.dispose]() {} };
  using _opened = replaced(Deno, {
    openSync: (...how) => Object.assign(openSync(...how), leftOpen),
  });
  const lock = FolderLock.open(path);
  assertEquals(lock.tryLock(), true);
  lock[Symbol.dispose]();
  assertEquals([isFolderLocked(path), canLock(path)], [false, true]);
});

inClosedFolder.test("FolderLock.open() makes one lock of each name, and throws where no folder can be", (folder) => {
  using one = FolderLock.open(folder.path);
  using other = FolderLock.open(folder.path, { name: "other" });
  assertEquals([one.tryLock(), other.tryLock()], [true, true]);
  const open = () => FolderLock.open("/dev/null/state");
  const { cause } = assertThrows(open, Error, "Cannot use the folder /dev/null/");
  assertEquals(cause instanceof Deno.errors.NotADirectory, true);
});

inFolder.test("isFolderLocked() never waits at a pipe", async ({ path }) => {
  await new Deno.Command("mkfifo", { args: [`${path}/lock`] }).output();
  using held = Deno.openSync(`${path}/lock`, { read: true, write: true });
  assertEquals([held.tryLockSync(true), isFolderLocked(path)], [true, false]);
});

inFolder.test("FolderLock leaves nothing behind a process that was killed", async (folder) => {
  const url = new URL("../../lib/state/state_lock.ts", import.meta.url).href;
  const code = `import { FolderLock } from "${url}";
    console.log(FolderLock.open(${JSON.stringify(folder.path)}).tryLock());
    Deno.kill(Deno.pid, "SIGKILL");`;
  const locked = async () => {
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", code] }).output();
    return new TextDecoder().decode(stdout);
  };
  {
    using lock = FolderLock.open(folder.path);
    assertEquals([lock.tryLock(), await locked()], [true, "false\n"]);
  }
  assertEquals([await locked(), canLock(folder.path)], ["true\n", true]);
});
