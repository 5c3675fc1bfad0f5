import { assertEquals } from "@std/assert";
import { MessageLimit } from "../../lib/panel/message_limit.ts";

Deno.test("MessageLimit.allows() takes 200 messages at once, and 50 a second after that", () => {
  let nowMs = 0;
  const limit = new MessageLimit(() => nowMs);
  const allowed = (count: number) =>
    Array.from({ length: count }, () => limit.allows()).filter(Boolean).length;
  assertEquals(allowed(1000), 200);
  nowMs += 19;
  assertEquals(allowed(1000), 0);
  nowMs += 1;
  assertEquals(allowed(1000), 1);
  nowMs += 1000;
  assertEquals(allowed(1000), 50);
  nowMs += 60_000;
  assertEquals(allowed(1000), 200);
});

Deno.test("MessageLimit.allows() never drops messages of a panel that sends 50 a second", () => {
  let nowMs = 0;
  const limit = new MessageLimit(() => nowMs);
  for (let count = 0; count < 10_000; count++) {
    nowMs += 20;
    assertEquals(limit.allows(), true);
  }
});
