import { assertEquals } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import { listenForStop } from "../../lib/cli/stop_signal.ts";
import { FakeTime } from "../fake_time.ts";
import { replaced } from "../replaced.ts";

Deno.test("listenForStop() exits at once at a second signal after a second", () => {
  using time = new FakeTime();
  const handlers = new Map<string, () => void>();
  const exits: unknown[] = [];
  using _process = replaced(Deno, {
    addSignalListener: (name, handler) => void handlers.set(name, handler),
    exit(code) {
      exits.push(code);
      throw new Error("the process has exited");
    },
  });
  const stop = listenForStop();
  /** Sends signals so many milliseconds after the last one, each. */
  const after = (...signals: [name: Deno.Signal, afterMs: number][]) => {
    for (const [name, afterMs] of signals) {
      time.tick(afterMs);
      attempt(() => [handlers.get(name)?.()]);
    }
    return [stop.aborted, exits];
  };
  assertEquals(after(), [false, []]);
  assertEquals(after(["SIGINT", 5000], ["SIGINT", 1], ["SIGTERM", 998]), [true, []]);
  assertEquals(after(["SIGINT", 1]), [true, [1]]);
});
