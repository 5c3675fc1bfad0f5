import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isJsonObject, jsonFields, parseJson } from "../../lib/parse/json.ts";

Deno.test("parseJson() reads back any JSON", () => {
  fc.assert(fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
    const text = JSON.stringify(value);
    assertEquals(JSON.stringify(parseJson(text)), text);
  }));
});

Deno.test("parseJson() returns undefined for any other text", () => {
  const texts = ["", " ", "{", "{'a':1}", "undefined", "NaN", "1 2", "\u{feff}{}", "<html>"];
  for (const text of texts) assertEquals(parseJson(text), undefined, text);
});

Deno.test("isJsonObject() is false for null, arrays and plain values", () => {
  assertEquals([{}, { a: null }, parseJson('{"__proto__":1}')].every(isJsonObject), true);
  assertEquals([null, undefined, [], [{}], "x", "", 1, 0, true, false].filter(isJsonObject), []);
});

Deno.test("jsonFields() returns the fields of an object, and none of anything else", () => {
  assertEquals(jsonFields({ a: 1 }), { a: 1 });
  for (const value of [undefined, null, [1], "text", 3]) assertEquals(jsonFields(value), {});
});
