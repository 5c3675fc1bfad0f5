import { assert, assertEquals } from "@std/assert";
import { parseWireJson, parseWireObject, stringIn, WireNumber } from "./wire_json.ts";

Deno.test("parseWireJson() keeps the text of a number", () => {
  assertEquals(parseWireJson('{"a":2.0,"b":[1e3,-0]}'), {
    a: new WireNumber(2, "2.0"),
    b: [new WireNumber(1000, "1e3"), new WireNumber(-0, "-0")],
  });
});

Deno.test("WireNumber recognizes integers of 64 bits by their text", () => {
  const isInteger = (text: string) => new WireNumber(Number(text), text).isInteger;
  for (const text of ["0", "-0", "7", "-1", "9223372036854775807", "-9223372036854775808"]) {
    assert(isInteger(text), text);
  }
  for (const text of ["2.0", "1e3", "1E3", "0.5", "9223372036854775808", "1e-1", "1".repeat(40)]) {
    assert(!isInteger(text), text);
  }
});

Deno.test("parseWireObject() is undefined for anything that is no object", () => {
  for (const text of ["[]", "null", "1", '"x"', "{", ""]) {
    assertEquals(parseWireObject(text), undefined);
  }
  assertEquals(parseWireObject(" {}\n"), {});
});

Deno.test("stringIn() reads own fields and nothing inherited", () => {
  const object = parseWireObject('{"n":3,"s":"x"}') ?? {};
  assertEquals(stringIn(object, "s"), "x");
  assertEquals(stringIn(object, "n"), "");
  assertEquals(stringIn(object, "constructor"), "");
});
