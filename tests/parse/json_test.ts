import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { hasMoreValues, isJsonObject, jsonFields, parseJson } from "../../lib/parse/json.ts";

Deno.test("parseJson() returns undefined for any other text", () => {
  const texts = ["", " ", "{", "{'a':1}", "undefined", "NaN", "1 2", "\u{feff}{}", "<html>"];
  for (const text of texts) assertEquals(parseJson(text), undefined, text);
});

Deno.test("isJsonObject() and jsonFields() take null, arrays and plain values for no objects", () => {
  assertEquals([{}, { a: null }, parseJson('{"__proto__":1}')].every(isJsonObject), true);
  assertEquals(jsonFields({ a: 1 }), { a: 1 });
  for (const value of [null, undefined, [], [{}], "x", "", 1, 0, true, false]) {
    assertEquals([isJsonObject(value), jsonFields(value)], [false, {}]);
  }
});

/** The opening signs and the separators of a value's JSON, without those in strings. */
function countSigns(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const inner = Object.values(value);
  const colons = Array.isArray(value) ? 0 : inner.length;
  return inner.reduce(
    (sum, it) => sum + countSigns(it),
    1 + colons + Math.max(inner.length - 1, 0),
  );
}

Deno.test("hasMoreValues() counts the values of any JSON, and nothing in its texts", () => {
  const text = fc.string({ unit: fc.constantFrom('"', "\\", ",", ":", "[", "{", "a") });
  const json = fc.letrec((tie) => ({
    value: fc.oneof(text, fc.integer(), fc.array(tie("value")), fc.dictionary(text, tie("value"))),
  })).value;
  fc.assert(fc.property(json, (value) => {
    const count = countSigns(value);
    assertEquals(hasMoreValues(JSON.stringify(value), count), false);
    assertEquals(hasMoreValues(JSON.stringify([value]), count), true);
  }));
  assertEquals(hasMoreValues("[" + "{},".repeat(50) + "{}]", 100), true);
  assertEquals(hasMoreValues('["' + ",".repeat(1000), 100), false, "a text that does not end");
});
