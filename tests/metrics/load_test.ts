import { assertEquals, assertThrows } from "@std/assert";
import { LoadCollector } from "../../lib/metrics/load.ts";
import { fakeSource, fakeSourceSequence } from "./fake_host.ts";

Deno.test("LoadCollector.collect() reads the file anew at each call", () => {
  const load = new LoadCollector(
    fakeSourceSequence("2.72 1.41 0.57 4/109 10073\n", "1.00 1.20 0.55 1/90 10080\n"),
  );
  assertEquals(load.collect(), { oneMinute: 2.72, fiveMinutes: 1.41, fifteenMinutes: 0.57 });
  assertEquals(load.collect()?.oneMinute, 1);
});

Deno.test("LoadCollector.collect() gives nothing when there is no such file", () => {
  assertEquals(new LoadCollector(fakeSource(() => undefined)).collect(), undefined);
});

Deno.test("LoadCollector.collect() throws when the file is bent", () => {
  assertThrows(() => new LoadCollector(fakeSource(() => "")).collect(), SyntaxError);
});
