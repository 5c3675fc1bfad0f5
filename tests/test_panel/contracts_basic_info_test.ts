import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { validateBasicInfo } from "./contracts.ts";
import { generations } from "./generation.ts";
import { BASIC_INFO } from "../test_panel/fake_reporter.ts";

const options = { generation: generations["1.4"], version: 1 } as const;
const TEXT = JSON.stringify(BASIC_INFO);

Deno.test("validateBasicInfo() accepts a full record without violations", () => {
  assertEquals(validateBasicInfo(TEXT, options), {
    accepted: true,
    value: BASIC_INFO,
    violations: [],
  });
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
  Deno.test(`validateBasicInfo() refuses ${what} with ${status}`, () => {
    const validation = validateBasicInfo(body, options);
    assert(!validation.accepted);
    assertEquals(validation.answer.status, status);
    assert(validation.violations.length > 0);
  });
}

Deno.test("validateBasicInfo() accepts a record without a size as a violation", () => {
  const validation = validateBasicInfo(TEXT.replace('"mem_total":16777216000,', ""), options);
  assert(validation.accepted);
  assertEquals(validation.violations, ["basic info: mem_total is missing"]);
});

Deno.test("validateBasicInfo() accepts null as a violation", () => {
  const validation = validateBasicInfo(TEXT.replace('"amd64"', "null"), options);
  assert(validation.accepted);
  assertEquals(validation.violations, ["basic info: arch is null"]);
  assertEquals(validation.value["arch"], undefined);
});

Deno.test("validateBasicInfo() refuses the newer fields when the panel is old", () => {
  const { kernel_version: _kernel, cpu_physical_cores: _cores, ...rest } = BASIC_INFO;
  const old = { ...options, lacksNewerColumns: true };
  assert(validateBasicInfo(JSON.stringify(rest), old).accepted);
  for (const field of [{ kernel_version: "6.1" }, { cpu_physical_cores: 4 }]) {
    const validation = validateBasicInfo(JSON.stringify({ ...rest, ...field }), old);
    assert(!validation.accepted);
    assertEquals(validation.answer.status, 500);
    assertEquals(validation.violations, [], "an agent may try");
  }
});

Deno.test("validateBasicInfo() never throws and accepts no fraction", () => {
  const columns = fc.record(
    { cpu_cores: fc.oneof(fc.jsonValue(), fc.double()), arch: fc.jsonValue() },
    { requiredKeys: [] },
  );
  fc.assert(fc.property(columns, (info) => {
    const validation = validateBasicInfo(JSON.stringify(info), options);
    if (validation.accepted) assert(Number.isInteger(validation.value["cpu_cores"] ?? 0));
  }));
});

Deno.test("validateBasicInfo() names the field that is wrong", () => {
  const validation = validateBasicInfo(TEXT.replace(":8,", ":8.5,"), options);
  assertStringIncludes(validation.violations.join(), "cpu_cores must be a whole number: 8.5");
});

Deno.test("validateBasicInfo() refuses what panels before 1.2 refuse", () => {
  const old = { generation: generations["1.1"], version: 1 } as const;
  const { cpu_physical_cores: _cores, ...rest } = BASIC_INFO;
  assert(validateBasicInfo(JSON.stringify(rest), old).accepted);
  const { mem_total: _total, ...incomplete } = rest;
  for (const info of [BASIC_INFO, incomplete, { ...rest, cpu_cores: null }]) {
    assert(!validateBasicInfo(JSON.stringify(info), old).accepted, JSON.stringify(info));
  }
});

Deno.test("validateBasicInfo() accepts 8.0 in version 2 as a violation, but no fraction", () => {
  const v2 = { generation: generations["1.5"], version: 2 } as const;
  const validation = validateBasicInfo(TEXT.replace(":8,", ":8.0,"), v2);
  assert(validation.accepted);
  assertEquals(validation.violations, ["basic info: cpu_cores must be a whole number: 8.0"]);
  assert(!validateBasicInfo(TEXT.replace(":8,", ":8.5,"), v2).accepted);
});

Deno.test("validateBasicInfo() knows what this machine can do by ICMP where the panel has a column for it", () => {
  const info = JSON.stringify({ ...BASIC_INFO, icmp_capability: "ping" });
  assert(!validateBasicInfo(info, { generation: generations["1.5"], version: 2 }).accepted);
  const newer = validateBasicInfo(info, { generation: generations["Nekomari"], version: 2 });
  assertEquals(newer.violations, []);
});
