import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { lookUpHostsFile } from "../../lib/net/dns.ts";

const TEXT = `# The machine's own
127.0.0.1\tlocalhost
::1       localhost ip6-localhost # and more
192.0.2.1 panel.example  Panel
  192.0.2.2 panel.example
#192.0.2.3 panel.example
192.0.2.4 other # panel.example
fe80::1%eth0 panel.example
999.0.0.1 panel.example
panel.example
192.0.2.5
`;

Deno.test("lookUpHostsFile() gives all addresses of a name in the file's order", () => {
  assertEquals(lookUpHostsFile(TEXT, "panel.example"), ["192.0.2.1", "192.0.2.2"]);
  assertEquals(lookUpHostsFile(TEXT, "PANEL"), ["192.0.2.1"]);
  assertEquals(lookUpHostsFile(TEXT, "localhost"), ["127.0.0.1", "::1"]);
  assertEquals(lookUpHostsFile(TEXT.replaceAll("\n", "\r\n"), "other"), ["192.0.2.4"]);
});

Deno.test("lookUpHostsFile() gives nothing for an unknown name", () => {
  for (const host of ["", "#", "and", "192.0.2.1", "example", "unknown"]) {
    assertEquals(lookUpHostsFile(TEXT, host), [], host);
  }
});

Deno.test("lookUpHostsFile() ignores malformed lines", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (before, after) => {
    const text = `${before.replace(/^[0-9a-f:.]/i, "x")}\n192.0.2.1 name\n# ${after}`;
    assertEquals(lookUpHostsFile(text, "name").includes("192.0.2.1"), true);
  }));
});
