import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { longPoll } from "../../lib/panel/long_poll.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import type { PanelEvent } from "../../lib/panel/messages.ts";
import { FakeTime } from "../fake_time.ts";
import { DEFAULTS, fakeConnection } from "./fake_connection.ts";
import { FakeReceiver } from "./fake_receiver.ts";

const EVENT: PanelEvent = { id: "e", message: { kind: "notice", text: "e" } };

/** Runs a loop on a fake time; `pull` is told the number of the question, from 1 on. */
async function withLoop(
  pull: (count: number, signal: AbortSignal) => Promise<readonly PanelEvent[]>,
  use: (bench: {
    time: FakeTime;
    askedAtMs: number[];
    events: PanelEvent[];
    outcomes: unknown[];
    stop: AbortController;
  }) => Promise<void>,
  { handlingMs = 0 } = {},
): Promise<void> {
  using time = new FakeTime();
  const stop = new AbortController();
  const askedAtMs: number[] = [];
  const events: PanelEvent[] = [];
  const outcomes: unknown[] = [];
  const observer = {
    onOutcome(error: unknown, call: string) {
      assertEquals(call, "pull");
      outcomes.push(error);
    },
  };
  const connection = fakeConnection(DEFAULTS, [observer]);
  connection.clientV2.pull = async (signal) => {
    askedAtMs.push(performance.now());
    return [...await pull(askedAtMs.length, signal)];
  };
  const { signal } = stop;
  const receiver = new FakeReceiver();
  receiver.onEvents = async (come) => {
    events.push(...come);
    if (handlingMs > 0 && come.length > 0) await delay(handlingMs);
  };
  const loop = longPoll(connection, { receiver, signal });
  await use({ time, stop, askedAtMs, events, outcomes });
  stop.abort();
  await loop;
  assertEquals(time.timers, 0, "no timer is left");
}

/** An answer without events, after so long. */
async function after(ms: number, signal: AbortSignal): Promise<readonly PanelEvent[]> {
  await delay(ms, { signal });
  return [];
}

Deno.test("longPoll() pulls again soon after a long poll", async () => {
  await withLoop((_, signal) => after(25_000, signal), async ({ time, askedAtMs, outcomes }) => {
    await time.run(76_000);
    assertEquals(askedAtMs, [0, 25_200, 50_400, 75_600]);
    assertEquals(outcomes, [undefined, undefined, undefined]);
  });
});

Deno.test("longPoll() passes on events and pulls again soon", async () => {
  const pull = () => Promise.resolve([EVENT]);
  await withLoop(pull, async ({ time, askedAtMs, events }) => {
    await time.run(1_000);
    assertEquals(askedAtMs, [0, 200, 400, 600, 800, 1000]);
    assertEquals(events.length, 6);
  });
});

Deno.test("longPoll() does not pull before its events are handled", async () => {
  const pull = (count: number) => Promise.resolve(count === 1 ? [EVENT] : []);
  await withLoop(pull, async ({ time, askedAtMs }) => {
    await time.run(3_300);
    assertEquals(askedAtMs, [0, 3_200]);
  }, { handlingMs: 3_000 });
});

Deno.test("longPoll() slows down when the panel answers at once without events", async () => {
  await withLoop(() => Promise.resolve([]), async ({ time, askedAtMs }) => {
    await time.run(60_000);
    assertEquals(askedAtMs, [0, 400, 1_200, 2_800, 6_000, 12_400, 22_400, 32_400, 42_400, 52_400]);
  });
});

Deno.test("longPoll() slows down when answers without events come within a second", async () => {
  await withLoop((_, signal) => after(999, signal), async ({ time, askedAtMs }) => {
    await time.run(8_000);
    assertEquals(askedAtMs, [0, 1_399, 3_198, 5_797]);
  });
  await withLoop((_, signal) => after(1_000, signal), async ({ time, askedAtMs }) => {
    await time.run(4_000);
    assertEquals(askedAtMs, [0, 1_200, 2_400, 3_600]);
  });
});

Deno.test("longPoll() passes on failures, slows down, and recovers", async () => {
  const trouble = new Error("refused");
  const pull = (count: number, signal: AbortSignal) =>
    count <= 3 ? Promise.reject(trouble) : after(1_000, signal);
  await withLoop(pull, async ({ time, askedAtMs, outcomes }) => {
    await time.run(5_200);
    assertEquals(askedAtMs, [0, 400, 1_200, 2_800, 4_000, 5_200]);
    assertEquals(outcomes, [trouble, trouble, trouble, undefined, undefined]);
  });
});

Deno.test("longPoll() pulls no sooner than the panel wants, and then as usual", async () => {
  const limited = (retryAfterMs?: number) =>
    Promise.reject(new PanelError("429", { failure: "unavailable", status: 429, retryAfterMs }));
  const answers = [() => limited(60_000), () => limited(50), () => limited()];
  const pull = (count: number, signal: AbortSignal) =>
    answers[count - 1]?.() ?? after(1_000, signal);
  await withLoop(pull, async ({ time, askedAtMs }) => {
    await time.run(64_000);
    assertEquals(askedAtMs, [0, 60_000, 60_800, 62_400, 63_600]);
  });
});

Deno.test("longPoll() ends without an error when the signal aborts a pull", async () => {
  const pull = (_: number, signal: AbortSignal) =>
    new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason), { once: true })
    );
  await withLoop(pull, async ({ time, stop, askedAtMs, outcomes }) => {
    await time.run(100);
    stop.abort();
    await time.run(60_000);
    assertEquals(askedAtMs, [0]);
    assertEquals(outcomes, []);
  });
});

Deno.test("longPoll() ends during a delay", async () => {
  await withLoop(() => Promise.resolve([]), async ({ time, stop, askedAtMs }) => {
    await time.run(10_000);
    assert(time.timers === 1);
    stop.abort();
    assertEquals(time.timers, 0);
    await time.run(60_000);
    assertEquals(askedAtMs.length, 5);
  });
});

Deno.test("longPoll() passes on events that arrive as the signal aborts", async () => {
  const answer = Promise.withResolvers<readonly PanelEvent[]>();
  await withLoop(() => answer.promise, async ({ time, stop, events, askedAtMs }) => {
    answer.resolve([EVENT]);
    stop.abort();
    await time.run(1_000);
    assertEquals(events, [EVENT]);
    assertEquals(askedAtMs, [0]);
  });
});

Deno.test("longPoll() does not pull when the signal has aborted before", async () => {
  // Its client throws when it is called.
  const receiver = new FakeReceiver();
  await longPoll(fakeConnection(), { receiver, signal: AbortSignal.abort() });
  assertEquals(receiver.messages, []);
});
