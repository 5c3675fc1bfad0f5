import { assertEquals } from "@std/assert";
import { count, fields, findDeviations, type Schema } from "./schema.ts";
import { parseWireJson } from "./wire_json.ts";

const rule = fields({
  size: count([0, 100]),
  inner: fields({ name: { kind: "string" } }),
  list: { kind: "list", of: { kind: "float", allowed: [0, 1] } },
}, ["list"]);

function departures(text: string, against: Schema = rule): string[] {
  return findDeviations(parseWireJson(text), against).map((one) => `${one.path} ${one.kind}`);
}

Deno.test("findDeviations() is empty for a value that matches the schema", () => {
  assertEquals(departures('{"size":1,"inner":{"name":"x"},"list":[0,0.5]}'), []);
  assertEquals(departures('{"size":1,"inner":{"name":"x"}}'), []);
});

Deno.test("findDeviations() names each deviation and its path", () => {
  assertEquals(
    departures('{"size":1.0,"inner":{"name":7,"more":null},"list":[2,"x",null],"__proto__":1}'),
    [
      "size notation",
      "inner.name type",
      "inner.more unknown",
      "list[0] not allowed",
      "list[1] type",
      "list[2] null",
      "__proto__ unknown",
    ],
  );
  assertEquals(departures('{"size":101}'), ["size out of range", "inner missing"]);
  assertEquals(departures("[]"), [" type"]);
  assertEquals(departures("7", { kind: "list", of: rule }), [" type"]);
});

Deno.test("findDeviations() reports a size that the panel stores although the contract forbids it", () => {
  assertEquals(departures("9007199254740993", count()), []);
  assertEquals(departures("9007199254740994", count()), [" not allowed"]);
});
