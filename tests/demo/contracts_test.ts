import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { checkBasicInfo } from "../../lib/demo/contracts.ts";
import { BASIC_INFO } from "./fake_reporter.ts";

const TEXT = JSON.stringify(BASIC_INFO);

Deno.test("checkBasicInfo() takes a full record and finds nothing", () => {
  assertEquals(checkBasicInfo(TEXT), { accepted: true, value: BASIC_INFO, violations: [] });
});

const refused: [what: string, body: string, status: number][] = [
  ["no body", "", 400],
  ["a list", "[]", 400],
  ["half a body", "{", 400],
  ["a fraction, which breaks the real panel", TEXT.replace(":8,", ":8.5,"), 500],
  ["a fraction of 0", TEXT.replace(":8,", ":8.0,"), 500],
  ["an exponent", TEXT.replace(":8,", ":8e0,"), 500],
  ["an unknown field", TEXT.replace('"arch"', '"hostname":"x","arch"'), 500],
  ["the field that renames the node", TEXT.replace('"arch"', '"name":"x","arch"'), 500],
  ["a negative size", TEXT.replace(":16777216000", ":-1"), 500],
  ["a number in quotes", TEXT.replace(":8,", ':"8",'), 500],
];

for (const [what, body, status] of refused) {
  Deno.test(`checkBasicInfo() refuses ${what} with ${status}`, () => {
    const verdict = checkBasicInfo(body);
    assert(!verdict.accepted);
    assertEquals(verdict.answer.status, status);
    assert(verdict.violations.length > 0);
  });
}

Deno.test("checkBasicInfo() takes a record without a size and says so", () => {
  const verdict = checkBasicInfo(TEXT.replace('"mem_total":16777216000,', ""));
  assert(verdict.accepted);
  assertEquals(verdict.violations, ["basic info: mem_total is missing"]);
});

Deno.test("checkBasicInfo() takes null and says so", () => {
  const verdict = checkBasicInfo(TEXT.replace('"amd64"', "null"));
  assert(verdict.accepted);
  assertEquals(verdict.violations, ["basic info: arch is null"]);
  assertEquals(verdict.value["arch"], undefined);
});

Deno.test("checkBasicInfo() refuses the newer fields when the panel is old", () => {
  const { kernel_version: _kernel, cpu_physical_cores: _cores, ...rest } = BASIC_INFO;
  const old = { oldPanel: true };
  assert(checkBasicInfo(JSON.stringify(rest), old).accepted);
  for (const field of [{ kernel_version: "6.1" }, { cpu_physical_cores: 4 }]) {
    const verdict = checkBasicInfo(JSON.stringify({ ...rest, ...field }), old);
    assert(!verdict.accepted);
    assertEquals(verdict.answer.status, 500);
    assertEquals(verdict.violations, [], "an agent may try");
  }
});

Deno.test("checkBasicInfo() never throws, and keeps no fraction", () => {
  const columns = fc.record(
    { cpu_cores: fc.oneof(fc.jsonValue(), fc.double()), arch: fc.jsonValue() },
    { requiredKeys: [] },
  );
  fc.assert(fc.property(columns, (info) => {
    const verdict = checkBasicInfo(JSON.stringify(info));
    if (verdict.accepted) assert(Number.isInteger(verdict.value["cpu_cores"] ?? 0));
  }));
});

Deno.test("checkBasicInfo() names the field that is wrong", () => {
  const verdict = checkBasicInfo(TEXT.replace(":8,", ":8.5,"));
  assertStringIncludes(verdict.violations.join(), "cpu_cores must be a whole number: 8.5");
});
