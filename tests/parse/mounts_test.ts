import { assertEquals, assertThrows } from "@std/assert";
import { parseMounts } from "../../lib/parse/mounts.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const captured = Deno.readTextFileSync("tests/fixtures/debian-vm/proc/1/mounts");

Deno.test("parseMounts() reads a captured file", () => {
  const mounts = parseMounts(captured);
  assertEquals(mounts.length, 9);
  assertEquals(mounts.find(({ mountPoint }) => mountPoint === "/"), {
    ...{ device: "/dev/vda", mountPoint: "/", type: "ext4", isReadOnly: false },
  });
});

Deno.test("parseMounts() unescapes blanks and tabs of mount points alone", () => {
  assertEquals(parseMounts("//nas/a\\040b /mnt/a\\040b\\011c\\134d cifs ro,errors=ro 0 0\n"), [
    { device: "//nas/a\\040b", mountPoint: "/mnt/a b\tc\\134d", type: "cifs", isReadOnly: true },
  ]);
  assertEquals(parseMounts("a /b ext4 rw,errors=ro 0 0\n")[0]?.isReadOnly, false);
});

Deno.test("parseMounts() gives malformed lines to their handler, and goes on", () => {
  const text = "one\nnone no/path tmpfs rw 0 0\na /b\n/dev/sda / ext4 rw 0 0\n";
  const errors: string[] = [];
  assertEquals(parseMounts(text, ({ message }) => errors.push(message)).length, 1);
  assertEquals(errors.length, 3);
  assertThrows(() => parseMounts(text), SyntaxError, 'Cannot parse mounts: "one"');
  onlySyntaxErrors(parseMounts, [captured]);
});
