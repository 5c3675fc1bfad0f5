import { assertEquals, assertThrows } from "@std/assert";
import { parseMountinfo } from "../../lib/parse/mountinfo.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

function fixture(machine: string): string {
  const url = new URL(`../fixtures/${machine}/proc/self/mountinfo`, import.meta.url);
  return Deno.readTextFileSync(url);
}

Deno.test("parseMountinfo() reads captured mounts, with blanks and parts of file systems", () => {
  const mounts = parseMountinfo(fixture("debian-vm"));
  assertEquals([mounts.length, mounts[5]], [19, {
    ...{ device: "254:0", root: "/", mountPoint: "/", type: "ext4", source: "/dev/vda" },
  }]);
  const found = parseMountinfo(fixture("storage-server"));
  assertEquals(found.find(({ source }) => source === "/dev/loop0")?.mountPoint, "/mnt/my disk");
  assertEquals(found.find(({ mountPoint }) => mountPoint === "/mnt/bf")?.root, "/etc/hosts");
});

Deno.test("parseMountinfo() reads any number of tags, an empty source and every octal escape", () => {
  for (const tags of ["", "shared:1 ", "shared:1 master:2 propagate_from:3 unbindable "]) {
    const [mount] = parseMountinfo(`1 0 8:1 / /a rw,noatime ${tags}- xfs /dev/sda1 rw\n`);
    assertEquals(mount, {
      ...{ device: "8:1", root: "/", mountPoint: "/a", type: "xfs", source: "/dev/sda1" },
    });
  }
  const [mount] = parseMountinfo(
    String.raw`1 0 0:5 / /a\040b\011c\134040\043\777\9 rw - tmpfs  rw`,
  );
  assertEquals([mount?.source, mount?.mountPoint], ["", String.raw`/a b	c\040#\777\9`]);
  assertEquals(parseMountinfo("1 0 0:5 / /a rw - tmpfs\n\n")[0]?.source, "");
});

Deno.test("parseMountinfo() throws and quotes the line when it is malformed", () => {
  const lines = [
    "x",
    "1 0 8:1 / /a rw",
    "1 0 8:1 / /a rw - ",
    "1 0 8 / /a rw - ext4 /dev/sda1 rw",
    "1 0 a:1 / /a rw - ext4 /dev/sda1 rw",
    "1 0 8:1 / a rw - ext4 /dev/sda1 rw",
    "x 0 8:1 / /a rw - ext4 /dev/sda1 rw",
    "1 -1 8:1 / /a rw - ext4 /dev/sda1 rw",
    " - ext4 /dev/sda1 rw",
  ];
  for (const line of lines) {
    const text = `1 0 8:1 / / rw - ext4 /dev/sda1 rw\n${line}\n`;
    assertThrows(() => parseMountinfo(text), SyntaxError, `"${line}"`);
  }
  onlySyntaxErrors((text) => parseMountinfo(text), [fixture("debian-vm")]);
});
