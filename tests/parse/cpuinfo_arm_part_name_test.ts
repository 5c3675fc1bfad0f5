import { assertEquals } from "@std/assert";
import { armPartName } from "../../lib/parse/cpuinfo.ts";

Deno.test("armPartName() knows common cores", () => {
  assertEquals(armPartName({ implementer: 0x41, part: 0xd0c }), "Neoverse-N1");
  assertEquals(armPartName({ implementer: 0x48, part: 0xd01 }), "Kunpeng-920");
});

Deno.test("armPartName() gives the maker and the number of a core that it does not know", () => {
  assertEquals(armPartName({ implementer: 0x61, part: 0x22 }), "Apple 0x22");
  assertEquals(armPartName({ implementer: 0x41, part: 0xfff }), "ARM 0xfff");
});

Deno.test("armPartName() gives nothing when the maker is unknown", () => {
  assertEquals(armPartName({ implementer: 0x99, part: 0xd0c }), undefined);
});
