import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { validateReport } from "./report_contract.ts";
import { generations } from "./generation.ts";
import { REPORT } from "../test_panel/fake_reporter.ts";

const options = { generation: generations["1.4"], version: 1 } as const;
const TEXT = JSON.stringify(REPORT);

/** The report's text with one piece of it replaced. */
function bent(piece: string, replacement: string): string {
  assertStringIncludes(TEXT, piece);
  return TEXT.replace(piece, replacement);
}

Deno.test("validateReport() accepts a full report without violations", () => {
  assertEquals(validateReport(TEXT, options), { accepted: true, value: REPORT, violations: [] });
});

Deno.test("validateReport() accepts a report with GPUs", () => {
  const gpu = {
    count: 1,
    average_usage: 1.5,
    detailed_info: [
      { name: "x", memory_total: 2, memory_used: 1, utilization: 1.5, temperature: 40 },
    ],
  };
  const report = { ...REPORT, gpu };
  assertEquals(validateReport(JSON.stringify(report), options), {
    accepted: true,
    value: report,
    violations: [],
  });
  const odd = { ...REPORT, gpu: { ...gpu, count: 0, detailed_info: [] } };
  assertEquals(validateReport(JSON.stringify(odd), options), {
    accepted: true,
    value: odd,
    violations: [],
  });
});

const refused: [what: string, body: string, status: number][] = [
  ["no body", "", 400],
  ["half a body", "{", 400],
  ["text after the body", `${TEXT}x`, 400],
  ["a list", "[]", 400],
  ["a fraction", bent('"uptime":1234567', '"uptime":1.5'), 400],
  ["a fraction of 0", bent('"uptime":1234567', '"uptime":2.0'), 400],
  ["an exponent", bent('"used":5033164800', '"used":5e9'), 400],
  ["a number in quotes", bent('"process":231', '"process":"231"'), 400],
  ["more than 64 bits", bent('"uptime":1234567', '"uptime":9223372036854775808'), 400],
  ["CPU that is no number", bent('"usage":12.5', '"usage":NaN'), 400],
  ["CPU that is infinite", bent('"usage":12.5', '"usage":1e999'), 400],
  ["a message that is a number", bent('"message":""', '"message":1'), 400],
  ["an object that is a number", bent('{"usage":12.5}', "1"), 400],
  ["CPU above 100", bent('"usage":12.5', '"usage":100.1'), 500],
  ["CPU below 0", bent('"usage":12.5', '"usage":-1'), 500],
  ["load1 above 1000", bent('"load1":0.52', '"load1":1000.1'), 500],
  ["a negative size", bent('"used":5033164800', '"used":-1'), 500],
  ["a negative speed", bent('"up":20480', '"up":-1'), 500],
  ["a negative count", bent('"tcp":142', '"tcp":-1'), 500],
  ["the largest number of 64 bits", bent('"up":20480', '"up":9223372036854775807'), 500],
  ["a fraction beside a negative size", bent('"up":20480,"down"', '"up":-1,"down":0.5,"x"'), 400],
];

for (const [what, body, status] of refused) {
  Deno.test(`validateReport() refuses ${what} with ${status}`, () => {
    const validation = validateReport(body, options);
    assert(!validation.accepted);
    assertEquals(validation.answer.status, status);
    assert(validation.violations.length > 0);
    assert("error" in JSON.parse(validation.answer.body));
  });
}

const noted: [what: string, body: string, violation: string][] = [
  ["an empty report", "{}", "report: cpu is missing"],
  ["a missing field", bent('"uptime":1234567,', ""), "report: uptime is missing"],
  ["an unknown field", bent('"uptime"', '"uuid":"x","uptime"'), "report: uuid is not part"],
  ["a misspelt field", bent('"process"', '"proces"'), "report: proces is not part"],
  ["an unknown field within", bent('"usage"', '"cores":2,"usage"'), "report: cpu.cores is not"],
  ["null", bent('"uptime":1234567', '"uptime":null'), "report: uptime is null"],
  ["a CPU of 0", bent('"usage":12.5', '"usage":0'), "report: cpu.usage is not allowed: 0"],
  ["a negative uptime", bent('"uptime":1234567', '"uptime":-1'), "report: uptime is not allowed"],
  ["a size above 2^53", bent('"up":20480', '"up":9007199254740994'), "network.up is not allowed"],
  ["more used than there is", bent('"used":134217728', '"used":2147483649'), "swap.used is more"],
];

for (const [what, body, violation] of noted) {
  Deno.test(`validateReport() accepts ${what} as a violation`, () => {
    const validation = validateReport(body, options);
    assert(validation.accepted);
    assertStringIncludes(validation.violations.join("\n"), violation);
  });
}

Deno.test("validateReport() never throws and returns finite numbers", () => {
  const leaf = fc.oneof(fc.jsonValue(), fc.double(), fc.integer());
  const report = fc.record(
    { cpu: leaf, ram: fc.record({ total: leaf, used: leaf }), uptime: leaf, process: leaf },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(report.map((value) => JSON.stringify(value)), fc.string()), (text) => {
      const validation = validateReport(text, options);
      if (!validation.accepted) return;
      assert(Number.isFinite(validation.value.cpu.usage));
      assert(Number.isFinite(validation.value.ram.used));
      assert(Number.isSafeInteger(validation.value.process) || validation.violations.length > 0);
    }),
  );
});

Deno.test("validateReport() checks no ranges before 1.2, and accepts 2.0 in version 2", () => {
  const old = { generation: generations["1.1"], version: 1 } as const;
  assert(validateReport(TEXT.replace('"usage":12.5', '"usage":101'), old).accepted);
  const text = TEXT.replace('"process":231', '"process":231.0');
  assert(!validateReport(text, options).accepted);
  assert(validateReport(text, { ...options, version: 2 }).accepted);
});
