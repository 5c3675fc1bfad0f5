import { assertEquals, assertThrows } from "@std/assert";
import { parseDarwinMounts } from "../../lib/parse/mounts_darwin.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const TEXT = Deno.readTextFileSync(new URL("../fixtures/macbook-arm64/mount", import.meta.url));

Deno.test("parseDarwinMounts() returns source, mount point, type and relevant options", () => {
  const mounts = parseDarwinMounts(TEXT);
  assertEquals(mounts.length, 15);
  const told = [mounts[0], mounts.at(-1)].map((mount) => Object.values(mount ?? {}));
  assertEquals(told, [
    ["/dev/disk3s1s1", "/", "apfs", true, true],
    ["//me@nas.local/media", "/Volumes/media", "smbfs", false, false],
  ]);
});

Deno.test("parseDarwinMounts() accepts blanks, parentheses and ' on ' within names", () => {
  const text = "/dev/disk2s2 on /Volumes/Work on (old) disks (hfs, local)\n" +
    "map auto_home on /home (autofs)\n";
  assertEquals(parseDarwinMounts(text).map(({ source, mountPoint }) => [source, mountPoint]), [
    ["/dev/disk2s2", "/Volumes/Work on (old) disks"],
    ["map auto_home", "/home"],
  ]);
});

Deno.test("parseDarwinMounts() throws a SyntaxError for any other text, and nothing else", () => {
  for (const line of ["nonsense", "/dev/disk1 on Volumes (hfs)", "/dev/disk1 on / ()", "/ (hfs)"]) {
    assertThrows(() => parseDarwinMounts(`${TEXT}${line}\n`), SyntaxError, line);
  }
  onlySyntaxErrors(parseDarwinMounts, [TEXT]);
});
