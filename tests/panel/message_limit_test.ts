import { assertEquals } from "@std/assert";
import { MessageLimit } from "../../lib/panel/message_limit.ts";
import { FakeTime } from "../fake_time.ts";

Deno.test("MessageLimit.allows() takes 1000 messages at once, and 50 a second after that", () => {
  using time = new FakeTime();
  const limit = new MessageLimit();
  const allowed = (count: number) =>
    Array.from({ length: count }, () => limit.allows()).filter(Boolean).length;
  assertEquals(allowed(5000), 1000);
  time.tick(19);
  assertEquals(allowed(1000), 0);
  time.tick(1);
  assertEquals(allowed(1000), 1);
  time.tick(1000);
  assertEquals(allowed(1000), 50);
  time.tick(60_000);
  assertEquals(allowed(5000), 1000);
});

Deno.test("MessageLimit.allows() never drops messages of a panel that sends 50 a second", () => {
  using time = new FakeTime();
  const limit = new MessageLimit();
  for (let count = 0; count < 10_000; count++) {
    time.tick(20);
    assertEquals(limit.allows(), true);
  }
});
