import { assertEquals, assertThrows } from "@std/assert";
import { UptimeCollector } from "../../lib/metrics/uptime.ts";
import { fakeSource, fakeSourceSequence } from "./fake_host.ts";

Deno.test("UptimeCollector.collect() reads the file anew at each call", () => {
  const uptime = new UptimeCollector(fakeSourceSequence("1924.67 3543.66\n", "1929.70 3553.00\n"));
  assertEquals([uptime.collect(), uptime.collect()], [1924.67, 1929.7]);
});

Deno.test("UptimeCollector.collect() gives nothing when there is no such file", () => {
  assertEquals(new UptimeCollector(fakeSource(() => undefined)).collect(), undefined);
});

Deno.test("UptimeCollector.collect() throws when the file is bent", () => {
  assertThrows(() => new UptimeCollector(fakeSource(() => "")).collect(), SyntaxError);
});
