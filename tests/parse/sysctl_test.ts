import { assertEquals } from "@std/assert";
import { parseSysctl } from "../../lib/parse/sysctl.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const TEXT = Deno.readTextFileSync(new URL("../fixtures/macbook-arm64/sysctl", import.meta.url));

Deno.test("parseSysctl() returns each name's value", () => {
  const values = parseSysctl(TEXT);
  assertEquals(values.get("hw.logicalcpu"), "8");
  assertEquals(values.get("machdep.cpu.brand_string"), "Apple M2");
  assertEquals(values.get("hw.nothing"), undefined);
});

Deno.test("parseSysctl() keeps colons and empty values", () => {
  const values = parseSysctl("kern.a: b: c\nkern.empty: \nkern.bare:\nsysctl: unknown oid 'x'\n");
  assertEquals([...values], [
    ["kern.a", "b: c"],
    ["kern.empty", ""],
    ["kern.bare", ""],
    ["sysctl", "unknown oid 'x'"],
  ]);
  onlySyntaxErrors(parseSysctl, [TEXT]);
});
