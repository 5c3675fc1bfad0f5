import { assert, assertEquals } from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import { replaced } from "../replaced.ts";
import { useEngineTimers } from "../../lib/async/engine_timers.ts";

/** Such timers beside those of the test, and what they have called. */
function timers() {
  const of = Object.create({ setTimeout, setInterval, clearTimeout, clearInterval });
  useEngineTimers(of);
  const { setTimeout: set, setInterval: repeat, clearTimeout: clear, clearInterval: end } = of;
  const called: string[] = [];
  const note = (name: string) => () => void called.push(name);
  const wait = (ms: number) => new Promise<void>((resolve) => void set(resolve, ms));
  return { set, repeat, clear, end, called, note, wait };
}

Deno.test("useEngineTimers() calls in the order of the times, never too early, and not what was cleared", async () => {
  const { set, clear, called, note, wait } = timers();
  const startMs = performance.now();
  set(note("far"), 60_000);
  set(note("c"), 40);
  set(note("a"), 20);
  const dropped = set(note("dropped"), 30);
  // Due together with the next one, which clears it.
  const other = set(() => clear(later), 10);
  const later = set(note("later"), 10);
  set(note("b"), 20);
  set(note("first"));
  clear(dropped);
  clear(undefined);
  assert(Number(other) > 0);
  await wait(60);
  assertEquals(called, ["first", "a", "b", "c"]);
  const tookMs = performance.now() - startMs;
  assert(tookMs >= 60 && tookMs < 50_000, `${tookMs}`);
});

Deno.test("useEngineTimers() repeats until it is told to end, also by the call itself", async () => {
  const { repeat, end, called, wait } = timers();
  const startMs = performance.now();
  const times: number[] = [];
  await new Promise<void>((resolve) => {
    const id = repeat(() => {
      called.push("tick");
      times.push(performance.now() - startMs);
      if (called.length < 5) return;
      end(id);
      resolve();
    }, 20);
  });
  await wait(40);
  assertEquals(called, Array(5).fill("tick"));
  assert(times.every((ms, index) => ms >= 20 * (index + 1)), String(times));
});

Deno.test("useEngineTimers() is woken when the next one is due, waits on where that was early, and catches up", async () => {
  let nowMs = 0;
  const waits: { ms: number; wake: () => void }[] = [];
  using _clock = replaced(performance, { now: () => nowMs });
  using _engine = replaced(Atomics, {
    waitAsync: (_cell: unknown, _at: unknown, _value: unknown, ms = Infinity) => {
      const { promise, resolve } = Promise.withResolvers<"timed-out">();
      waits.push({ ms, wake: () => resolve("timed-out") });
      return { async: true as const, value: promise };
    },
  });
  const { repeat, called, note } = timers();
  repeat(note("tick"), 1000);
  const wakeAt = async (atMs: number) => {
    nowMs = atMs;
    waits.at(-1)?.wake();
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    return [called.length, waits.at(-1)?.ms];
  };
  assertEquals(waits.map(({ ms }) => ms), [1000]);
  assertEquals(await wakeAt(997), [0, 3]);
  assertEquals(await wakeAt(1000), [1, 1000]);
  assertEquals(await wakeAt(2300), [2, 700]);
});

Deno.test("useEngineTimers() keeps each caller's asynchronous context, and the process", async () => {
  const context = new AsyncLocalStorage<string>();
  const { set, repeat, end, called } = timers();
  await Promise.all(
    ["one", "two"].map((name) =>
      context.run(name, () =>
        new Promise<void>((resolve) => {
          set(() => called.push(`${context.getStore()}`), 10);
          let left = 2;
          const id = repeat(() => {
            called.push(`${context.getStore()} again`);
            if (--left > 0) return;
            end(id);
            resolve();
          }, 15);
        }))
    ),
  );
  assertEquals(called.toSorted(), [
    "one",
    "one again",
    "one again",
    "two",
    "two again",
    "two again",
  ]);
  const url = new URL("../../lib/async/engine_timers.ts", import.meta.url);
  const code = `const { useEngineTimers } = await import("${url}");
    useEngineTimers();
    let failed = false;
    addEventListener("unhandledrejection", (event) => event.preventDefault(failed = true));
    setTimeout(() => { throw new Error("thrown"); }, 5);
    setTimeout(() => { console.log(failed); Deno.exit(3); }, 100);`;
  const { code: exit, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", code],
  }).output();
  assertEquals([exit, new TextDecoder().decode(stdout)], [3, "true\n"]);
});
