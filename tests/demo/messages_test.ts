import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { readBasicInfo, readPingResult, readReport } from "../../lib/demo/messages.ts";
import { BASIC_INFO, PING_RESULT, REPORT } from "../test_panel/fake_reporter.ts";

Deno.test("readReport() reads every field", () => {
  const gpu = {
    count: 1,
    average_usage: 1.5,
    detailed_info: [
      { name: "x", memory_total: 2, memory_used: 1, utilization: 1.5, temperature: 40 },
    ],
  };
  assertEquals(readReport(REPORT), REPORT);
  assertEquals(readReport({ ...REPORT, gpu }), { ...REPORT, gpu });
});

Deno.test("readReport() reads 0 or an empty text where a value is absent or of a wrong type", () => {
  for (const value of [undefined, null, 7, [], { cpu: 1, ram: [], uptime: "1", gpu: null }]) {
    const { cpu, ram, uptime, message, gpu } = readReport(value);
    assertEquals([cpu, ram, uptime, message, gpu], [
      { usage: 0 },
      { total: 0, used: 0 },
      0,
      "",
      undefined,
    ]);
  }
  const { gpu } = readReport({ gpu: { count: 2, detailed_info: [{ name: 3 }, 2, null, []] } });
  assertEquals(gpu?.detailed_info.map(({ name, utilization }) => [name, utilization]), [
    ["", 0],
    ["", 0],
    ["", 0],
    ["", 0],
  ]);
});

Deno.test("readReport() and the other readers never throw", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    for (const read of [readReport, readBasicInfo, readPingResult]) read(value);
  }));
});

Deno.test("readBasicInfo() keeps the columns that can be stored", () => {
  assertEquals(readBasicInfo({ ...BASIC_INFO, more: {}, none: null }), BASIC_INFO);
});

Deno.test("readPingResult() reads its fields", () => {
  const { task_id, value, ping_type, finished_at } = PING_RESULT;
  assertEquals(readPingResult(PING_RESULT), {
    taskId: task_id,
    valueMs: value,
    pingType: ping_type,
    finishedAt: finished_at,
  });
});
