import { assertEquals, assertThrows } from "@std/assert";
import { DarwinProcessCollector } from "../../lib/metrics/processes_darwin.ts";
import { fakeSource } from "./fake_host.ts";

Deno.test("DarwinProcessCollector.collect() gives the count, and nothing before there is one", () => {
  assertEquals(new DarwinProcessCollector(fakeSource(() => "512")).collect(), 512);
  assertEquals(new DarwinProcessCollector(fakeSource(() => undefined)).collect(), undefined);
});

for (const text of ["0", "", "-3", "many", "1 2"]) {
  Deno.test(`DarwinProcessCollector.collect() throws when the count is ${JSON.stringify(text)}`, () => {
    assertThrows(() => new DarwinProcessCollector(fakeSource(() => text)).collect(), SyntaxError);
  });
}
