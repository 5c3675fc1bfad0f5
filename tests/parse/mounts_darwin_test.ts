import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
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

for (const line of ["nonsense", "/dev/disk1 on Volumes (hfs)", "/dev/disk1 on / ()", "/ (hfs)"]) {
  Deno.test(`parseDarwinMounts() throws when a line is ${JSON.stringify(line)}`, () => {
    assertThrows(() => parseDarwinMounts(`${TEXT}${line}\n`), SyntaxError, line);
  });
}

Deno.test("parseDarwinMounts() throws nothing but SyntaxError", () => {
  onlySyntaxErrors(parseDarwinMounts, [TEXT]);
});

Deno.test("parseDarwinMounts() reads back what mount would write", () => {
  const mount = fc.record({
    source: fc.stringMatching(/^\/dev\/disk\d{1,2}s\d$/),
    mountPoint: fc.stringMatching(/^\/[\w .()-]{0,20}\w$/),
    type: fc.constantFrom("apfs", "hfs", "exfat"),
    local: fc.boolean(),
    readOnly: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(mount), (mounts) => {
    const text = mounts.map(({ source, mountPoint, type, local, readOnly }) =>
      `${source} on ${mountPoint} (${
        [type, ...local ? ["local"] : [], ...readOnly ? ["read-only"] : [], "journaled"].join(", ")
      })\n`
    ).join("");
    assertEquals(parseDarwinMounts(text), mounts);
  }));
});
