import { assertEquals } from "@std/assert";
import { ToldFew } from "../../lib/log/rate_limit.ts";

Deno.test("ToldFew.next() says once that there are too many, and begins anew after a while", () => {
  let nowMs = 0;
  const few = new ToldFew({ most: 2, everyMs: 1000, monotonicMs: () => nowMs });
  const next = () => few.next();
  assertEquals([next(), next(), next(), next(), next()], ["yes", "yes", "too many", "no", "no"]);
  nowMs = 999;
  assertEquals(next(), "no");
  nowMs = 1000;
  assertEquals([next(), next(), next(), next()], ["yes", "yes", "too many", "no"]);
});
