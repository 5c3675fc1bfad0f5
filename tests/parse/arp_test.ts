import { assertEquals } from "@std/assert";
import { countArpEntries } from "../../lib/parse/arp.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

Deno.test("countArpEntries() counts entries by interface, without the heading", () => {
  const captured = Deno.readTextFileSync("tests/fixtures/debian-vm/proc/net/arp");
  assertEquals([...countArpEntries(captured)], [["eth0", 1]]);
  const entry = (device: string) => `192.0.2.7   0x1   0x2   02:fc:00:00:00:07   *   ${device}\n`;
  const text = `IP address HW type\n${entry("eth0")}${entry("br0")}${entry("eth0")}odd line\n`;
  assertEquals([...countArpEntries(text)], [["eth0", 2], ["br0", 1]]);
  onlySyntaxErrors(countArpEntries, [text]);
});
