import { assertEquals, assertNotEquals } from "@std/assert";
import { linkOrCopy } from "../../lib/state/atomic_write.ts";
import { syncedPaths } from "./synced_paths.ts";
import { replaced } from "../replaced.ts";
import { inClosedFolder } from "../closed_folder.ts";

inClosedFolder.test("linkOrCopy() copies a symbolic link, and does not follow it", async (folder) => {
  Deno.symlinkSync("nowhere", `${folder.path}/a`);
  await linkOrCopy(`${folder.path}/a`, `${folder.path}/b`);
  assertEquals(Deno.readLinkSync(`${folder.path}/b`), "nowhere");
});

inClosedFolder.test("linkOrCopy() copies where there can't be a link, and brings the copy to the disk, with its owner and without rights of a set-uid program", async (folder) => {
  const [from, to] = [`${folder.path}/a`, `${folder.path}/b`];
  Deno.writeTextFileSync(from, "one");
  const owner = Deno.uid() === 0 ? 65534 : Deno.uid();
  if (Deno.uid() === 0) Deno.chownSync(from, owner, owner);
  Deno.chmodSync(from, 0o4750);
  const link = () => Promise.reject(new Deno.errors.PermissionDenied("no links here"));
  using _noLinks = replaced(Deno, { link });
  assertEquals(await syncedPaths(() => linkOrCopy(from, to)), [to]);
  assertEquals(Deno.readTextFileSync(to), "one");
  const { mode, uid, gid, ino } = Deno.statSync(to);
  assertNotEquals(ino, Deno.statSync(from).ino);
  assertEquals([(mode ?? 0) & 0o7777, uid, gid], [0o750, owner, Deno.statSync(from).gid]);
});
