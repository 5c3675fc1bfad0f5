import { assertEquals, assertNotEquals } from "@std/assert";
import { linkOrCopy } from "../../lib/state/atomic_write.ts";
import { syncedPaths } from "./synced_paths.ts";
import { replaced } from "../replaced.ts";
import { ClosedFolder, inClosedFolder } from "../closed_folder.ts";
import { onLinux } from "../only_on.ts";

inClosedFolder.test("linkOrCopy() copies a symbolic link, and does not follow it", async (folder) => {
  Deno.symlinkSync("nowhere", `${folder.path}/a`);
  await linkOrCopy(`${folder.path}/a`, `${folder.path}/b`);
  assertEquals(Deno.readLinkSync(`${folder.path}/b`), "nowhere");
});

onLinux.test("linkOrCopy() copies text, owner and mode where there can't be a link", async () => {
  using folder = new ClosedFolder();
  // Of another file system, of which no link can be made here.
  await linkOrCopy("/proc/version", `${folder.path}/b`);
  assertEquals(Deno.readTextFileSync(`${folder.path}/b`), Deno.readTextFileSync("/proc/version"));
  const { mode, uid } = Deno.statSync(`${folder.path}/b`);
  assertEquals([(mode ?? 0) & 0o7777, uid], [0o444, Deno.uid()]);
});

inClosedFolder.test("linkOrCopy() brings a copy to the disk, with its owner and without rights of a set-uid program", async (folder) => {
  const [from, to] = [`${folder.path}/a`, `${folder.path}/b`];
  Deno.writeTextFileSync(from, "one");
  const owner = Deno.uid() === 0 ? 65534 : Deno.uid();
  if (Deno.uid() === 0) Deno.chownSync(from, owner, owner);
  Deno.chmodSync(from, 0o4750);
  const link = () => Promise.reject(new Deno.errors.PermissionDenied("no links here"));
  using _noLinks = replaced(Deno, { link });
  assertEquals(await syncedPaths(() => linkOrCopy(from, to)), [to]);
  const { mode, uid, gid, ino } = Deno.statSync(to);
  assertNotEquals(ino, Deno.statSync(from).ino);
  assertEquals([(mode ?? 0) & 0o7777, uid, gid], [0o750, owner, Deno.statSync(from).gid]);
});
