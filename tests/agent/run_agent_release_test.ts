import { assertEquals } from "@std/assert";
import { releaseRegularly } from "../../lib/agent/run_agent.ts";
import { FakeTime } from "../fake_time.ts";

Deno.test("releaseRegularly() releases memory after 4, 8 and 12 s, then every half hour, until the signal aborts", async () => {
  using time = new FakeTime();
  const stop = new AbortController();
  const releasedAtMs: number[] = [];
  const running = releaseRegularly(() => void releasedAtMs.push(performance.now()), stop);
  await time.run(2 * 3_600_000);
  assertEquals(releasedAtMs, [4, 8, 12, 1_812, 3_612, 5_412].map((seconds) => seconds * 1000));
  stop.abort();
  await running;
  assertEquals(time.timers, 0);
});
