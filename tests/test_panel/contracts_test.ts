import { assert, assertEquals } from "@std/assert";
import { loopbackTasks } from "../../lib/demo/stand_in_panel.ts";
import { cases, same } from "../cases.ts";
import { validateBasicInfo, validatePingResult } from "./contracts.ts";
import { BASIC_INFO, PING_RESULT, REPORT } from "./fake_reporter.ts";
import { type GenerationName, generations } from "./generation.ts";
import { validateReport } from "./report_contract.ts";
import type { Validation } from "./schema.ts";

const TEXTS = { report: JSON.stringify(REPORT), info: JSON.stringify(BASIC_INFO) };
const RESULT = JSON.stringify(PING_RESULT);
const tasks = loopbackTasks(25774);
const of = (name: GenerationName, version: 1 | 2 = 1) => ({
  generation: generations[name],
  version,
  tasks,
});
const V1 = of("1.4");

/** `fine`, the status of a refusal, or the violation that is noted of what is accepted. */
function outcome(validation: Validation<unknown>): string {
  if (!validation.accepted) return `${validation.answer.status}`;
  return validation.violations.join("\n") || "fine";
}

/** What is made of a message when a piece of it is replaced: `PIECE => REPLACEMENT`, or of another body. */
function bent(text: string, validate: (body: string) => Validation<unknown>) {
  return (line: string) => {
    const [piece = "", replacement] = line.split(/ =>(?: |$)/);
    assert(replacement === undefined || text.includes(piece), piece);
    return outcome(validate(replacement === undefined ? line : text.replace(piece, replacement)));
  };
}

Deno.test("a report is checked as the panel checks it, and against the contract", () => {
  const gpu = {
    count: 1,
    average_usage: 1.5,
    detailed_info: [{
      ...{ name: "x", memory_total: 2, memory_used: 1, utilization: 1.5, temperature: 40 },
    }],
  };
  for (const value of [REPORT, { ...REPORT, gpu }]) {
    const validation = validateReport(JSON.stringify(value), V1);
    assertEquals(validation, { accepted: true, value, violations: [] });
  }
  same(
    bent(TEXTS.report, (body) => validateReport(body, V1)),
    cases(`
{                                                      → 400
[]                                                     → 400
"uptime":1234567 => "uptime":1.5                       → 400
"uptime":1234567 => "uptime":2.0                       → 400
"used":5033164800 => "used":5e9                        → 400
"process":231 => "process":"231"                       → 400
"uptime":1234567 => "uptime":9223372036854775808       → 400
"usage":12.5 => "usage":NaN                            → 400
"usage":12.5 => "usage":1e999                          → 400
{"usage":12.5} => 1                                    → 400
"up":20480,"down" => "up":-1,"down":0.5,"x"            → 400
"usage":12.5 => "usage":100.1                          → 500
"usage":12.5 => "usage":-1                             → 500
"load1":0.52 => "load1":1000.1                         → 500
"up":20480 => "up":-1                                  → 500
"up":20480 => "up":9223372036854775807                 → 500
"uptime":1234567, =>                                   → report: uptime is missing
"usage" => "cores":2,"usage"                           → report: cpu.cores is not part of the contract
"uptime" => "constructor":1,"uptime"                     → report: constructor is not part of the contract
"uptime":1234567 => "uptime":null                      → report: uptime is null
"usage":12.5 => "usage":0                              → report: cpu.usage is not allowed: 0
"uptime":1234567 => "uptime":-1                        → report: uptime is not allowed: -1
"up":20480 => "up":9007199254740994                    → report: network.up is not allowed: 9007199254740994
"used":134217728 => "used":2147483649                  → report: swap.used is more than swap.total
`),
  );
  const high = bent(TEXTS.report, (body) => validateReport(body, of("1.1")));
  assertEquals(high('"usage":12.5 => "usage":101'), "report: cpu.usage is out of range: 101");
  const v2 = bent(TEXTS.report, (body) => validateReport(body, of("1.4", 2)));
  const whole = "report: process must be a whole number: 231.0";
  assertEquals(v2('"process":231 => "process":231.0'), whole);
});

Deno.test("basic info is checked as the panel checks it, and against the contract", () => {
  assertEquals(validateBasicInfo(TEXTS.info, V1), {
    ...{ accepted: true, value: BASIC_INFO, violations: [] },
  });
  same(
    bent(TEXTS.info, (body) => validateBasicInfo(body, V1)),
    cases(`
{                                      → 400
[]                                     → 400
:8, => :8.5,                           → 500
:8, => :8.0,                           → 500
:8, => :"8",                           → 500
:16777216000 => :-1                    → 500
"arch" => "name":"x","arch"            → 500
"mem_total":16777216000, =>            → basic info: mem_total is missing
"amd64" => null                        → basic info: arch is null
`),
  );
  const info = (options: Parameters<typeof validateBasicInfo>[1], line: string) =>
    bent(TEXTS.info, (body) => validateBasicInfo(body, options))(line);
  const [cores, kernel] = ['"cpu_physical_cores":4, => ', '"kernel_version":"6.1.0-37-amd64", => '];
  const icmp = '"arch" => "icmp_capability":"ping","arch"';
  same(([options, line]) => info(options, line), [
    // What panels before 1.2 refuse: the newer column, and what lacks a size.
    [[of("1.1"), cores], "fine"],
    [[of("1.1"), '"arch" => "arch"'], "500"],
    [[of("1.1"), '"cpu_physical_cores":4,"mem_total":16777216000, => '], "500"],
    [[{ ...V1, lacksNewerColumns: true }, cores], "500"],
    [[{ ...V1, lacksNewerColumns: true }, kernel], "500"],
    [[of("1.5", 2), ":8, => :8.0,"], "basic info: cpu_cores must be a whole number: 8.0"],
    [[of("1.5", 2), ":8, => :8.5,"], "500"],
    [[of("1.5", 2), icmp], "500"],
    [[of("Nekomari", 2), icmp], "fine"],
  ] as [[Parameters<typeof validateBasicInfo>[1], string], string][]);
});

Deno.test("a ping result is checked as the panel checks it, and against the contract", () => {
  same(
    bent(RESULT, (body) => validatePingResult(body, V1)),
    cases(`
{                                          → 400
[]                                         → 400
:12, => :1.5,                              → 400
:1, => :-1,                                → 400
:12, => :"1",                              → 400
"icmp" => 7                                → 400
:12, => :0,                                → fine
:12, => :-1,                               → fine
2026-01-02T03:04:05.678Z => 2026-12-31T23:59:59.123456789+05:30  → fine
:1, => :0,                                 → ping result: task_id is not allowed: 0 | ping result: task_id is of no task: 0
:1, => :99,                                → ping result: task_id is of no task: 99
:12, => :-2,                               → ping result: value is not allowed: -2
:12, => :12.0,                             → ping result: value must be a whole number: 12.0
"icmp" => "tcp"                            → ping result: ping_type of task 1 must be "icmp", is "tcp"
05.678Z => 05                              → ping result: finished_at is no time with a zone: "2026-01-02T03:04:05"
{ => {"uuid":"x",                          → ping result: uuid is not part of the contract
`).map(([line, expected]) => [line, expected.replaceAll(" | ", "\n")]),
  );
  const late = "2026-01-02T03:04:05.678Z => yesterday";
  const timeless = `${RESULT.replace(/.*"icmp",/, "")} => "more":1}`;
  type Row = [[typeof V1, string], boolean];
  same(([options, line]) => bent(RESULT, (it) => validatePingResult(it, options))(line) !== "400", [
    [[of("1.1"), ":12, => :12.0,"], false],
    [[of("1.1"), late], false],
    [[of("1.1"), timeless], false],
    [[V1, late], true],
    [[V1, timeless], true],
    [[of("1.5", 2), late], false],
    [[of("1.5", 2), timeless], true],
  ] as Row[]);
});
