// Loaded before a program: lets its clocks and timers run TIME_FACTOR times as fast as they should.
const factor = Number(Deno.env.get("TIME_FACTOR"));
const { Date: RealDate, performance, setInterval, setTimeout } = globalThis;
const { waitAsync } = Atomics;
const realMonotonicMs = performance.now.bind(performance);
const startedAtMs = RealDate.now();
const startedMs = realMonotonicMs();

const monotonicMs = () => realMonotonicMs() * factor;
const nowMs = () => Math.floor(startedAtMs + (realMonotonicMs() - startedMs) * factor);
/** Rounded up, so that nothing comes before it is due. */
const realMs = (ms: number) => Math.ceil(ms / factor);

Object.defineProperty(performance, "now", { value: monotonicMs });
Object.defineProperty(RealDate, "now", { value: nowMs });
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [nowMs()] : args, newTarget),
});
Object.assign(globalThis, {
  setTimeout: (act: () => void, ms = 0) => setTimeout(act, realMs(ms)),
  setInterval: (act: () => void, ms = 0) => setInterval(act, realMs(ms)),
});
// The agent's timers wait so.
Object.assign(Atomics, {
  waitAsync: (cell: Int32Array, at: number, value: number, ms: number) =>
    waitAsync(cell, at, value, realMs(ms)),
});
