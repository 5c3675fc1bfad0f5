// Loaded before a program: its timers end TIME_FACTOR times as soon as they should, and so does what
// it measures. The time of day is true, so that it can be compared with that of other programs.
const factor = Number(Deno.env.get("TIME_FACTOR"));
const { performance, setInterval, setTimeout } = globalThis;
const realMonotonicMs = performance.now.bind(performance);
/** Rounded up, so that nothing comes before it is due. */
const realMs = (ms: number) => Math.ceil(ms / factor);

Object.defineProperty(performance, "now", { value: () => realMonotonicMs() * factor });
Object.assign(globalThis, {
  setTimeout: (act: () => void, ms = 0) => setTimeout(act, realMs(ms)),
  setInterval: (act: () => void, ms = 0) => setInterval(act, realMs(ms)),
});
