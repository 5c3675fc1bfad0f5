import { assertEquals } from "@std/assert";
import fc from "fast-check";
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
});

Deno.test("parseSysctl() never throws", () => {
  onlySyntaxErrors(parseSysctl, [TEXT]);
});

Deno.test("parseSysctl() reads back what sysctl would write", () => {
  const value = fc.string({ unit: "binary-ascii" }).map((text) =>
    text.replace(/[^ -~]/g, "").trim()
  );
  const name = fc.array(fc.stringMatching(/^[a-z_]{1,8}$/), { minLength: 2, maxLength: 4 })
    .map((parts) => parts.join("."));
  fc.assert(fc.property(fc.dictionary(name, value), (values) => {
    const text = Object.entries(values).map(([name, value]) => `${name}: ${value}\n`).join("");
    assertEquals(Object.fromEntries(parseSysctl(text)), { ...values });
  }));
});
