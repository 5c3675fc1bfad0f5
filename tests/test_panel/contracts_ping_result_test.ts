import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { validatePingResult } from "./contracts.ts";
import { generations } from "./generation.ts";
import { loopbackTasks } from "../../lib/demo/probe_tasks.ts";
import { PING_RESULT } from "../test_panel/fake_reporter.ts";

const options = {
  tasks: loopbackTasks(25774),
  generation: generations["1.4"],
  version: 1,
} as const;
const check = (change: Record<string, unknown>) =>
  validatePingResult(JSON.stringify({ ...PING_RESULT, ...change }), options);

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

const refused: [what: string, body: string][] = [
  ["no body", ""],
  ["a list", "[]"],
  ["half a body", "{"],
  ["a fraction", '{"task_id":1,"value":1.5,"ping_type":"icmp","finished_at":"x"}'],
  ["a negative task", '{"task_id":-1,"value":1,"ping_type":"icmp","finished_at":"x"}'],
  ["a value in quotes", '{"task_id":1,"value":"1","ping_type":"icmp","finished_at":"x"}'],
  ["a type that is a number", '{"task_id":1,"value":1,"ping_type":7,"finished_at":"x"}'],
];

for (const [what, body] of refused) {
  Deno.test(`validatePingResult() refuses ${what} with 400`, () => {
    const validation = validatePingResult(body, options);
    assert(!validation.accepted);
    assertEquals(validation.answer.status, 400);
    assert(validation.violations.length > 0);
  });
}

const noted: [what: string, change: Record<string, unknown>, violation: string][] = [
  ["task 0", { task_id: 0 }, "task_id is not allowed: 0"],
  ["a task that there is not", { task_id: 99 }, "task_id is of no task: 99"],
  ["a value below -1", { value: -2 }, "value is not allowed: -2"],
  ["another type than the task's", { ping_type: "tcp" }, 'must be "icmp", is "tcp"'],
  ["a time without a zone", { finished_at: "2026-01-02T03:04:05" }, "no time with a zone"],
  ["a time in words", { finished_at: "yesterday" }, "no time with a zone"],
  ["an unknown field", { uuid: "x" }, "uuid is not part of the contract"],
];

for (const [what, change, violation] of noted) {
  Deno.test(`validatePingResult() accepts ${what} as a violation`, () => {
    const validation = check(change);
    assert(validation.accepted);
    assertStringIncludes(validation.violations.join("\n"), violation);
  });
}

Deno.test("validatePingResult() never throws", () => {
  fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
    validatePingResult(text, options);
  }));
});

Deno.test("validatePingResult() accepts 12.0 except on panels before 1.2", () => {
  const body = JSON.stringify(PING_RESULT).replace(":12,", ":12.0,");
  for (const [name, accepted] of [["1.1", false], ["1.4", true]] as const) {
    const validation = validatePingResult(body, { ...options, generation: generations[name] });
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
    const all = { ...options, generation: generations[name], version };
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
