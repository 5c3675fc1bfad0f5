import { assertEquals } from "@std/assert";
import { parseDescriptorLimit } from "../../lib/host/descriptor_limit.ts";

Deno.test("parseDescriptorLimit() finds the soft limit, if there is one", () => {
  const row = (soft: string) =>
    `Limit                     Soft Limit           Hard Limit           Units
Max core file size        0                    0                    bytes
Max open files            ${soft.padEnd(20)} 524288               files
`;
  assertEquals(parseDescriptorLimit(row("1024")), 1024);
  assertEquals(parseDescriptorLimit(row("unlimited")), undefined);
  assertEquals(parseDescriptorLimit(""), undefined);
});
