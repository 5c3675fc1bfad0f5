import { assertEquals } from "@std/assert";
import { barrierTo, mountWith } from "../../lib/doctor/rights.ts";
import { same } from "../cases.ts";
import { inFolder } from "../temp_folder.ts";

inFolder.test("the first part of a path that a user may not use is found, with what lets it", ({ path }) => {
  const folder = Deno.realPathSync(path);
  Deno.chmodSync(folder, 0o755);
  Deno.mkdirSync(`${folder}/a`, { mode: 0o700 });
  Deno.writeTextFileSync(`${folder}/a/file`, "");
  const stranger = { uid: 4_000_000, gids: [4_000_000] };
  const barrier = (mode: number, use: "read" | "run" | "write", file = "a/file") => {
    Deno.chmodSync(`${folder}/${file}`, mode);
    const found = barrierTo(`${folder}/${file}`, stranger, use);
    return found && `${found.path.slice(folder.length)}: ${found.repair.split(" ")[0]}`;
  };
  assertEquals(barrier(0o644, "read"), "/a: chmod");
  Deno.chmodSync(`${folder}/a`, 0o711);
  assertEquals(barrier(0o644, "read"), undefined);
  assertEquals(barrier(0o600, "read"), "/a/file: chgrp");
  assertEquals(barrier(0o644, "run"), "/a/file: chmod");
  assertEquals(barrier(0o755, "run"), undefined);
  assertEquals(barrier(0o755, "write", "a"), "/a: chgrp");
  const own = { uid: Deno.uid() ?? 0, gids: [] };
  assertEquals(barrierTo(`${folder}/a/file`, own, "write"), undefined);
  Deno.symlinkSync(`${folder}/a/file`, `${folder}/link`);
  Deno.chmodSync(`${folder}/a`, 0o700);
  assertEquals(barrierTo(`${folder}/link`, stranger)?.path, `${folder}/a`, "behind a link, too");
});

Deno.test("the mount with an option is the last one above a path", () => {
  const mounts = `
21 1 8:1 / / rw - ext4 /dev/sda1 rw
22 21 8:2 / /var rw,ro - ext4 /dev/sda2 rw
23 22 8:3 / /var/lib rw - ext4 /dev/sda3 ro
24 22 8:4 / /var/log rw - ext4 /dev/sda4 rw`;
  return same((path: string) => mountWith("ro", path, mounts), [
    ["/etc/x", undefined],
    ["/var/x", "/var"],
    ["/var/lib/x", "/var/lib"],
    ["/var/log/x", undefined],
  ]);
});
