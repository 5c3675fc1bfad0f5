import { assertEquals, assertThrows } from "@std/assert";
import { parseSource } from "../../lib/metrics/collector.ts";
import { parseLoadavg, parseUptime } from "../../lib/parse/uptime.ts";
import { fakeSource, fakeSourceSequence } from "./fake_host.ts";

Deno.test("parseSource() reads the source anew at each call", () => {
  const load = fakeSourceSequence("2.72 1.41 0.57 4/109 10073\n", "1.00 1.20 0.55 1/90 10080\n");
  assertEquals(parseSource(load, parseLoadavg), {
    oneMinute: 2.72,
    fiveMinutes: 1.41,
    fifteenMinutes: 0.57,
  });
  assertEquals(parseSource(load, parseLoadavg)?.oneMinute, 1);
  const uptime = fakeSourceSequence("1924.67 3543.66\n", "1929.70 3553.00\n");
  const seconds = () => parseSource(uptime, parseUptime);
  assertEquals([seconds(), seconds()], [1924.67, 1929.7]);
});

Deno.test("parseSource() has no data without a text", () => {
  for (const parse of [parseLoadavg, parseUptime]) {
    assertEquals(parseSource<unknown>(fakeSource(() => undefined), parse), undefined);
  }
});

Deno.test("parseSource() throws when the text is malformed", () => {
  for (const parse of [parseLoadavg, parseUptime]) {
    assertThrows(() => parseSource<unknown>(fakeSource(() => ""), parse), SyntaxError);
  }
});
