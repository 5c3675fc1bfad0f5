import { assertEquals } from "@std/assert";
import { MessageLimit } from "../../lib/panel/message_limit.ts";
import { timed } from "../fake_time.ts";

/** Messages that are read until the limit asks for a pause, which is given back, in milliseconds. */
function readUntilPause(limit: MessageLimit, bytes = 0): { count: number; pauseMs: number } {
  for (let count = 1;; count++) {
    const pauseMs = limit.take(bytes);
    if (pauseMs > 0) return { count, pauseMs };
  }
}

timed.test("MessageLimit.take() lets 1000 messages be read at once, and 50 a second after that", (time) => {
  const limit = new MessageLimit();
  assertEquals(readUntilPause(limit), { count: 1001, pauseMs: 1020 });
  for (let n = 0; n < 5; n++) {
    time.tick(1020);
    assertEquals(readUntilPause(limit), { count: 51, pauseMs: 1020 });
  }
  time.tick(60_000);
  assertEquals(readUntilPause(limit).count, 1001);
});

timed.test("MessageLimit.take() counts a long message as one for each 4 KiB, and for each 64 KiB beyond 64", () => {
  assertEquals(readUntilPause(new MessageLimit(), 4095).count, 1001);
  assertEquals(readUntilPause(new MessageLimit(), 4096).count, 501);
  assertEquals(readUntilPause(new MessageLimit(), 65_536).count, 59);
  assertEquals(readUntilPause(new MessageLimit(), 4 * 1024 * 1024).count, 13);
});

timed.test("MessageLimit.take() never pauses for a panel that sends 50 a second", (time) => {
  const limit = new MessageLimit();
  for (let count = 0; count < 10_000; count++) {
    time.tick(20);
    assertEquals(limit.take(), 0);
  }
  assertEquals([limit.isExceeded, limit.isFlooded], [false, false]);
});

timed.test("MessageLimit.giveBack() makes room for messages that were asked for", () => {
  const limit = new MessageLimit();
  limit.giveBack();
  for (let count = 0; count < 10_000; count++) {
    assertEquals(limit.take(), 0);
    limit.giveBack();
  }
  assertEquals(readUntilPause(limit).count, 1001);
});

timed.test("MessageLimit.isFlooded tells a panel that goes on for 10 s from one that stops", (time) => {
  const limit = new MessageLimit();
  const floodFor = (ms: number) => {
    const endMs = performance.now() + ms;
    for (;;) {
      const { pauseMs } = readUntilPause(limit);
      if (limit.isFlooded || performance.now() >= endMs) return;
      // Timers are late, too.
      time.tick(pauseMs + 5);
    }
  };
  floodFor(9_000);
  assertEquals([limit.isExceeded, limit.isFlooded], [true, false]);
  // It sends nothing for a while.
  time.tick(3_100);
  assertEquals([limit.take(), limit.isExceeded, limit.isFlooded], [0, false, false]);
  const startMs = performance.now();
  floodFor(60_000);
  assertEquals(limit.isFlooded, true);
  assertEquals(performance.now() - startMs >= 10_000 && performance.now() - startMs < 12_500, true);
});
