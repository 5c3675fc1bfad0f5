import { assertEquals } from "@std/assert";
import { parseCleanFileMappings } from "../../lib/parse/smaps.ts";

function mapping(head: string, anonymousKb: number): string {
  return `${head}\nSize:   4 kB\nRss:   4 kB\nAnonymous:   ${anonymousKb} kB\nVmFlags: rd mr\n`;
}

Deno.test("parseCleanFileMappings() finds what can be read from the file again", () => {
  const text = [
    mapping("55e000000000-55e000002000 r--p 00000000 fe:00 1234    /usr/bin/deno", 0),
    mapping("55e000002000-55e000003000 r-xp 00002000 fe:00 1234    /usr/bin/with a blank", 0),
    // Addresses that were filled in at the start.
    mapping("55e000003000-55e000004000 r--p 00003000 fe:00 1234    /usr/bin/deno", 4),
    mapping("55e000004000-55e000005000 rw-p 00004000 fe:00 1234    /usr/bin/deno", 0),
    mapping("55e000005000-55e000006000 r-xs 00004000 fe:00 1234    /usr/bin/shared", 0),
    mapping("55e000006000-55e000007000 r--p 00000000 00:00 0 ", 0),
    mapping("7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0       [vdso]", 0),
    mapping("7f0000000000-7f0000001000 r-xp 00000000 fe:00 5    /usr/lib/libc.so.6", 0),
  ].join("");
  assertEquals(parseCleanFileMappings(text), [
    { address: 0x55e000000000, bytes: 0x2000 },
    { address: 0x55e000002000, bytes: 0x1000 },
    { address: 0x7f0000000000, bytes: 0x1000 },
  ]);
});

Deno.test("parseCleanFileMappings() leaves out what it does not understand", () => {
  for (const text of ["", "Anonymous: 0 kB\n", "x-y r-xp 0 0 0 /a\nAnonymous: 0 kB\n"]) {
    assertEquals(parseCleanFileMappings(text), []);
  }
  const cut = "55e000000000-55e000002000 r--p 00000000 fe:00 1234 /usr/bin/deno\nSize: 8 kB\n";
  assertEquals(parseCleanFileMappings(cut), []);
});
