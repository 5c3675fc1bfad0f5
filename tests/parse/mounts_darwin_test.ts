import { assertEquals, assertThrows } from "@std/assert";
import { parseDarwinMounts } from "../../lib/parse/mounts_darwin.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const TEXT = Deno.readTextFileSync(new URL("../fixtures/macbook-arm64/mount", import.meta.url));

Deno.test("parseDarwinMounts() returns source, mount point, type and relevant options", () => {
  const mounts = parseDarwinMounts(TEXT);
  assertEquals(mounts.length, 15);
  assertEquals(mounts[0], {
    source: "/dev/disk3s1s1",
    mountPoint: "/",
    type: "apfs",
    local: true,
    readOnly: true,
  });
  assertEquals(mounts.at(-1), {
    source: "//me@nas.local/media",
    mountPoint: "/Volumes/media",
    type: "smbfs",
    local: false,
    readOnly: false,
  });
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
