import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { readBasicInfo, readPingResult, readReport } from "../../lib/demo/messages.ts";

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
