import { assertEquals } from "@std/assert";
import { lineAt } from "../../lib/parse/scan.ts";

Deno.test("lineAt() gives the line around the offset", () => {
  const text = "one\ntwo\nthree";
  assertEquals(lineAt(text, 0), "one");
  assertEquals(lineAt(text, 3), "one");
  assertEquals(lineAt(text, 4), "two");
  assertEquals(lineAt(text, 12), "three");
  assertEquals(lineAt("", 0), "");
});

Deno.test("lineAt() cuts a line that no message should carry", () => {
  assertEquals(lineAt("x".repeat(5000), 0).length, 120);
});
