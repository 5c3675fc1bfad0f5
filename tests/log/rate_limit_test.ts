import { assertEquals } from "@std/assert";
import { install } from "@sinonjs/fake-timers";
import { SparseLines } from "../../lib/log/rate_limit.ts";

Deno.test("SparseLines tells one line a minute, and how many it has kept to itself", () => {
  const clock = install();
  try {
    const told: string[] = [];
    const odd = new SparseLines((text) => told.push(text));
    for (let n = 0; n < 10_000; n++) odd.note("no JSON");
    assertEquals(told, ["no JSON"]);
    clock.tick(59_999);
    odd.note("no object");
    assertEquals(told.length, 1);
    clock.tick(1);
    odd.note("no shape");
    assertEquals(
      told.at(-1),
      "no shape (and 10000 more such since the last line)",
    );
    clock.tick(60_000);
    odd.note("no JSON");
    assertEquals(told.at(-1), "no JSON");
  } finally {
    clock.uninstall();
  }
});
