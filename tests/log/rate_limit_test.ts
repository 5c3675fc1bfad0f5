import { assertEquals } from "@std/assert";
import { install } from "@sinonjs/fake-timers";
import { LogRateLimit } from "../../lib/log/rate_limit.ts";

Deno.test("LogRateLimit.allows() allows one line a minute, and counts the others", () => {
  const clock = install();
  try {
    const limit = new LogRateLimit({ lines: 1, periodMs: 60_000 });
    assertEquals([limit.allows(), limit.takeSuppressed()], [true, ""]);
    for (let n = 0; n < 9999; n++) assertEquals(limit.allows(), false);
    clock.tick(59_999);
    assertEquals(limit.allows(), false);
    clock.tick(1);
    assertEquals(limit.allows(), true);
    assertEquals(limit.suppressed, 10_000);
    assertEquals(limit.takeSuppressed(), " (and 10000 more since the last line)");
    clock.tick(60_000);
    assertEquals([limit.allows(), limit.takeSuppressed()], [true, ""]);
  } finally {
    clock.uninstall();
  }
});

Deno.test("LogRateLimit.allows() bounds the lines in any period", () => {
  let nowMs = 0;
  const limit = new LogRateLimit({ lines: 2, periodMs: 1000, monotonicMs: () => nowMs });
  const allowed = () => limit.allows();
  assertEquals([allowed(), allowed(), allowed(), allowed()], [true, true, false, false]);
  nowMs = 999;
  assertEquals(allowed(), false);
  nowMs = 1000;
  assertEquals([allowed(), allowed(), allowed()], [true, true, false]);
});

Deno.test("LogRateLimit.allows() allows no second line when the period has no end", () => {
  let nowMs = 0;
  const limit = new LogRateLimit({ lines: 1, periodMs: Infinity, monotonicMs: () => nowMs });
  assertEquals(limit.allows(), true);
  nowMs = 1e15;
  assertEquals(limit.allows(), false);
});
