// Loaded before a program: its timers take longer, and so does what it measures, so that what comes
// has the time that it needs on a busy machine. While the line of shell QUICK_WHEN succeeds, pauses
// between two looks end at once: it says that what is looked for can't come. The time of day is true.
const SLOWNESS = 5;
/** Longer ones are time-outs. */
const MAX_PAUSE_MS = 500;
const line = Deno.env.get("QUICK_WHEN");
const { performance, setInterval, setTimeout } = globalThis;
const realMonotonicMs = performance.now.bind(performance);
let skippedMs = 0;

function isQuick(): boolean {
  if (line === undefined) return false;
  const shell = new Deno.Command("sh", { args: ["-c", line], stdout: "null", stderr: "null" });
  return shell.outputSync().success;
}

Object.defineProperty(performance, "now", {
  value: () => realMonotonicMs() / SLOWNESS + skippedMs,
});
Object.assign(globalThis, {
  setTimeout: (act: () => void, ms = 0) => {
    if (ms > MAX_PAUSE_MS || !isQuick()) return setTimeout(act, ms * SLOWNESS);
    skippedMs += ms;
    return setTimeout(act, 0);
  },
  setInterval: (act: () => void, ms = 0) => setInterval(act, ms * SLOWNESS),
});
