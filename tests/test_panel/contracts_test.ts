import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { loopbackTasks } from "../../lib/demo/stand_in_panel.ts";
import { validateBasicInfo, validatePingResult } from "./contracts.ts";
import { BASIC_INFO, PING_RESULT, REPORT } from "./fake_reporter.ts";
import { generations } from "./generation.ts";
import { validateReport } from "./report_contract.ts";
import type { Validation } from "./schema.ts";

const V1 = { generation: generations["1.4"], version: 1 } as const;
const REPORT_TEXT = JSON.stringify(REPORT);
const INFO_TEXT = JSON.stringify(BASIC_INFO);

/** A message, and the status that it is refused with or the violation that is noted of it. */
type Row = readonly [what: string, body: string, outcome: number | string];

function testRows(
  name: string,
  validate: (body: string) => Validation<unknown>,
  rows: readonly Row[],
): void {
  for (const [what, body, outcome] of rows) {
    const how = typeof outcome === "number" ? `with ${outcome}` : "as a violation";
    Deno.test(`${name}() ${how === "as a violation" ? "accepts" : "refuses"} ${what} ${how}`, () => {
      const validation = validate(body);
      assert(validation.violations.length > 0);
      if (!validation.accepted) assertEquals(validation.answer.status, outcome);
      else assertStringIncludes(validation.violations.join("\n"), `${outcome}`);
    });
  }
}

/** The report's text with one piece of it replaced. */
function bent(piece: string, replacement: string): string {
  assertStringIncludes(REPORT_TEXT, piece);
  return REPORT_TEXT.replace(piece, replacement);
}

Deno.test("validateReport() accepts a full report without violations, with GPUs too", () => {
  const card = { name: "x", memory_total: 2, memory_used: 1, utilization: 1.5, temperature: 40 };
  const gpu = { count: 1, average_usage: 1.5, detailed_info: [card] };
  const none = { ...gpu, count: 0, detailed_info: [] };
  for (const value of [REPORT, { ...REPORT, gpu }, { ...REPORT, gpu: none }]) {
    const validation = validateReport(JSON.stringify(value), V1);
    assertEquals(validation, { accepted: true, value, violations: [] });
  }
});

const REPORTS: readonly Row[] = [
  ["no body", "", 400],
  ["half a body", "{", 400],
  ["text after the body", `${REPORT_TEXT}x`, 400],
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

testRows("validateReport", (body) => validateReport(body, V1), REPORTS);

Deno.test("validateReport() checks no ranges before 1.2, and accepts 2.0 in version 2", () => {
  const old = { generation: generations["1.1"], version: 1 } as const;
  assert(validateReport(REPORT_TEXT.replace('"usage":12.5', '"usage":101'), old).accepted);
  const text = REPORT_TEXT.replace('"process":231', '"process":231.0');
  assert(!validateReport(text, V1).accepted);
  assert(validateReport(text, { ...V1, version: 2 }).accepted);
});

Deno.test("validateBasicInfo() accepts a full record without violations", () => {
  assertEquals(validateBasicInfo(INFO_TEXT, V1), {
    accepted: true,
    value: BASIC_INFO,
    violations: [],
  });
});

const INFOS: readonly Row[] = [
  ["no body", "", 400],
  ["a list", "[]", 400],
  ["half a body", "{", 400],
  ["a fraction, which breaks the real panel", INFO_TEXT.replace(":8,", ":8.5,"), 500],
  ["a fraction of 0", INFO_TEXT.replace(":8,", ":8.0,"), 500],
  ["an exponent", INFO_TEXT.replace(":8,", ":8e0,"), 500],
  ["an unknown field", INFO_TEXT.replace('"arch"', '"hostname":"x","arch"'), 500],
  ["the field that renames the node", INFO_TEXT.replace('"arch"', '"name":"x","arch"'), 500],
  ["a negative size", INFO_TEXT.replace(":16777216000", ":-1"), 500],
  ["a number in quotes", INFO_TEXT.replace(":8,", ':"8",'), 500],
  [
    "no size",
    INFO_TEXT.replace('"mem_total":16777216000,', ""),
    "basic info: mem_total is missing",
  ],
  ["null", INFO_TEXT.replace('"amd64"', "null"), "basic info: arch is null"],
];

testRows("validateBasicInfo", (body) => validateBasicInfo(body, V1), INFOS);

Deno.test("validateBasicInfo() refuses the newer fields when the panel is old", () => {
  const { kernel_version: _kernel, cpu_physical_cores: _cores, ...rest } = BASIC_INFO;
  const old = { ...V1, lacksNewerColumns: true };
  assert(validateBasicInfo(JSON.stringify(rest), old).accepted);
  for (const field of [{ kernel_version: "6.1" }, { cpu_physical_cores: 4 }]) {
    const validation = validateBasicInfo(JSON.stringify({ ...rest, ...field }), old);
    assert(!validation.accepted);
    assertEquals(validation.answer.status, 500);
    assertEquals(validation.violations, [], "an agent may try");
  }
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
  const validation = validateBasicInfo(INFO_TEXT.replace(":8,", ":8.0,"), v2);
  assert(validation.accepted);
  assertEquals(validation.violations, ["basic info: cpu_cores must be a whole number: 8.0"]);
  assert(!validateBasicInfo(INFO_TEXT.replace(":8,", ":8.5,"), v2).accepted);
});

Deno.test("validateBasicInfo() knows what this machine can do by ICMP where the panel has a column for it", () => {
  const info = JSON.stringify({ ...BASIC_INFO, icmp_capability: "ping" });
  assert(!validateBasicInfo(info, { generation: generations["1.5"], version: 2 }).accepted);
  const newer = validateBasicInfo(info, { generation: generations["Nekomari"], version: 2 });
  assertEquals(newer.violations, []);
});

const TASKS = { ...V1, tasks: loopbackTasks(25774) };
const changed = (change: object) => JSON.stringify({ ...PING_RESULT, ...change });
const check = (change: object) => validatePingResult(changed(change), TASKS);

Deno.test("validatePingResult() accepts an answer and a loss without violations", () => {
  for (const value of [0, 12, -1]) {
    const validation = check({ value });
    assert(validation.accepted);
    assertEquals(validation.value.valueMs, value);
    assertEquals(validation.violations, []);
  }
});

Deno.test("validatePingResult() accepts every format of a time with a zone", () => {
  for (const time of ["2026-01-02T03:04:05Z", "2026-12-31T23:59:59.123456789+05:30"]) {
    assertEquals(check({ finished_at: time }).violations, []);
  }
});

const RESULTS: readonly Row[] = [
  ["no body", "", 400],
  ["a list", "[]", 400],
  ["half a body", "{", 400],
  ["a fraction", '{"task_id":1,"value":1.5,"ping_type":"icmp","finished_at":"x"}', 400],
  ["a negative task", '{"task_id":-1,"value":1,"ping_type":"icmp","finished_at":"x"}', 400],
  ["a value in quotes", '{"task_id":1,"value":"1","ping_type":"icmp","finished_at":"x"}', 400],
  ["a type that is a number", '{"task_id":1,"value":1,"ping_type":7,"finished_at":"x"}', 400],
  ["task 0", changed({ task_id: 0 }), "task_id is not allowed: 0"],
  ["a task that there is not", changed({ task_id: 99 }), "task_id is of no task: 99"],
  ["a value below -1", changed({ value: -2 }), "value is not allowed: -2"],
  ["another type than the task's", changed({ ping_type: "tcp" }), 'must be "icmp", is "tcp"'],
  ["a time without a zone", changed({ finished_at: "2026-01-02T03:04:05" }), "no time with a zone"],
  ["a time in words", changed({ finished_at: "yesterday" }), "no time with a zone"],
  ["an unknown field", changed({ uuid: "x" }), "uuid is not part of the contract"],
];

testRows("validatePingResult", (body) => validatePingResult(body, TASKS), RESULTS);

Deno.test("validatePingResult() accepts 12.0 except on panels before 1.2", () => {
  const body = JSON.stringify(PING_RESULT).replace(":12,", ":12.0,");
  for (const [name, accepted] of [["1.1", false], ["1.4", true]] as const) {
    const validation = validatePingResult(body, { ...TASKS, generation: generations[name] });
    assertEquals(validation.accepted, accepted, name);
    assertEquals(validation.violations, ["ping result: value must be a whole number: 12.0"]);
  }
});

Deno.test("validatePingResult() refuses a malformed time in version 2 and before 1.2", () => {
  const body = JSON.stringify({ ...PING_RESULT, finished_at: "yesterday" });
  const { finished_at: _time, ...timeless } = PING_RESULT;
  const cases = [["1.1", 1, false, false], ["1.4", 1, true, true], [
    "1.5",
    2,
    false,
    true,
  ]] as const;
  for (const [name, version, malformed, missing] of cases) {
    const all = { ...TASKS, generation: generations[name], version };
    assertEquals(validatePingResult(body, all).accepted, malformed, name);
    assertEquals(validatePingResult(JSON.stringify(timeless), all).accepted, missing, name);
  }
});

Deno.test("validatePingResult() permits what results of newer probes have, and that alone", () => {
  const tasks = [
    { id: 1, name: "", type: "auto", target: "h", interval: 5 },
    { id: 2, name: "", type: "dual", target: "h", interval: 5, reference: "r" },
    { id: 3, name: "", type: "tcp", target: "h", interval: 5, reference: "r" },
  ];
  const generation = generations["Nekomari"];
  const violations = (change: Record<string, unknown>) =>
    validatePingResult(JSON.stringify({ ...PING_RESULT, ...change }), {
      ...{ tasks, generation, version: 2 },
    }).violations;
  const kept = [
    { task_id: 1, ping_type: "icmp" },
    { task_id: 1, ping_type: "tcp" },
    { task_id: 2, ping_type: "tcp" },
    { task_id: 2, ping_type: "icmp", role: "reference" },
    { task_id: 3, ping_type: "tcp", role: "reference" },
  ];
  for (const change of kept) assertEquals(violations(change), [], JSON.stringify(change));
  const broken = [
    { task_id: 1, ping_type: "auto" },
    { task_id: 1, ping_type: "http" },
    { task_id: 1, ping_type: "icmp", role: "reference" },
    { task_id: 2, ping_type: "tcp", role: "reference" },
    { task_id: 3, ping_type: "icmp", role: "reference" },
    { task_id: 3, ping_type: "tcp", role: "main" },
  ];
  for (const change of broken) assertEquals(violations(change).length, 1, JSON.stringify(change));
});
