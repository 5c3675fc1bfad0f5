import { assertEquals, assertThrows } from "@std/assert";
import { DarwinProcesses } from "../../lib/metrics/processes_darwin.ts";
import { paperSource } from "./fake_host.ts";

Deno.test("DarwinProcesses.collect() gives the count, and nothing before there is one", () => {
  assertEquals(new DarwinProcesses(paperSource(() => "512")).collect(), 512);
  assertEquals(new DarwinProcesses(paperSource(() => undefined)).collect(), undefined);
});

for (const text of ["0", "", "-3", "many", "1 2"]) {
  Deno.test(`DarwinProcesses.collect() throws when the count is ${JSON.stringify(text)}`, () => {
    assertThrows(() => new DarwinProcesses(paperSource(() => text)).collect(), SyntaxError);
  });
}
