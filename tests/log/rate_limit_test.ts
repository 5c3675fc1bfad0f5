import { assertEquals } from "@std/assert";
import { LogRateLimit } from "../../lib/log/rate_limit.ts";
import { FakeTime } from "../fake_time.ts";

Deno.test("LogRateLimit.allows() allows one line a minute, and counts the others", () => {
  using time = new FakeTime();
  const limit = new LogRateLimit({ lines: 1, periodMs: 60_000 });
  assertEquals([limit.allows(), limit.takeSuppressed()], [true, ""]);
  for (let n = 0; n < 9999; n++) assertEquals(limit.allows(), false);
  time.tick(59_999);
  assertEquals(limit.allows(), false);
  time.tick(1);
  assertEquals(limit.allows(), true);
  assertEquals(limit.suppressed, 10_000);
  assertEquals(limit.takeSuppressed(), " (and 10000 more since the last line)");
  time.tick(60_000);
  assertEquals([limit.allows(), limit.takeSuppressed()], [true, ""]);
});

Deno.test("LogRateLimit.allows() bounds the lines in any period", () => {
  using time = new FakeTime();
  const limit = new LogRateLimit({ lines: 2, periodMs: 1000 });
  const allowed = () => limit.allows();
  assertEquals([allowed(), allowed(), allowed(), allowed()], [true, true, false, false]);
  time.tick(999);
  assertEquals(allowed(), false);
  time.tick(1);
  assertEquals([allowed(), allowed(), allowed()], [true, true, false]);
});

Deno.test("LogRateLimit.allows() allows no second line when the period has no end", () => {
  using time = new FakeTime();
  const limit = new LogRateLimit({ lines: 1, periodMs: Infinity });
  assertEquals(limit.allows(), true);
  time.tick(1e15);
  assertEquals(limit.allows(), false);
});
