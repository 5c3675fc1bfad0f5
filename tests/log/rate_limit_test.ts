import { assertEquals } from "@std/assert";
import { LogRateLimit } from "../../lib/log/rate_limit.ts";
import { timed } from "../fake_time.ts";

timed.test("LogRateLimit.write() writes one line a minute, and counts the others", (time) => {
  const limit = new LogRateLimit();
  const ends: string[] = [];
  const write = () => limit.write((more) => void ends.push(more));
  write();
  assertEquals(ends.splice(0), [""]);
  for (let n = 0; n < 9999; n++) write();
  time.tick(59_999);
  write();
  assertEquals([limit.suppressed, ends], [10_000, []]);
  time.tick(1);
  write();
  assertEquals(ends.splice(0), [" (and 10000 more since the last line)"]);
  time.tick(60_000);
  write();
  assertEquals(ends, [""]);
});

timed.test("LogRateLimit.allows() bounds the lines in any period", (time) => {
  const limit = new LogRateLimit({ lines: 2, periodMs: 1000 });
  const allowed = () => limit.allows();
  assertEquals([allowed(), allowed(), allowed(), allowed()], [true, true, false, false]);
  time.tick(999);
  assertEquals(allowed(), false);
  time.tick(1);
  assertEquals([allowed(), allowed(), allowed()], [true, true, false]);
  const once = LogRateLimit.once();
  assertEquals(once.allows(), true);
  time.tick(1e15);
  assertEquals(once.allows(), false);
});
