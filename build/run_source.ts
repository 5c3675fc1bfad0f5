/**
 * Runs the program of this checkout with the flags of its builds, as `deno task start` and `demo` do.
 *
 * With `--watch` before the arguments it starts the program anew after each change of the code, for
 * `deno task dev`. It does so from a process of its own: a sealed one could not start anything.
 *
 * @module
 */

import { PERMISSIONS, V8_FLAGS } from "./runtime_flags.ts";

/** Editors save in several steps; what follows within this time is one change. */
const SETTLE_MS = 100;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);

if (import.meta.main) {
  const [first, ...rest] = Deno.args;
  const code = first === "--watch" ? await runWatched(rest) : await run(Deno.args);
  Deno.exit(code);
}

/** Runs the program to its end, and returns its exit code. */
async function run(args: readonly string[]): Promise<number> {
  const child = start(args);
  // Ctrl-C reaches the child by itself; this process only waits for its end.
  for (const name of SIGNALS) {
    Deno.addSignalListener(name, () => name === "SIGINT" || kill(child, name));
  }
  return (await child.status).code;
}

/** Runs the program anew after each change of the code, until a signal ends both. */
async function runWatched(args: readonly string[]): Promise<number> {
  const ended = Promise.withResolvers<void>();
  for (const name of SIGNALS) Deno.addSignalListener(name, () => ended.resolve());
  using watcher = Deno.watchFs([`${ROOT}lib`, `${ROOT}main.ts`]);
  let onChange = () => {};
  (async () => {
    for await (const { kind } of watcher) if (kind !== "access") onChange();
  })();
  for (;;) {
    const child = start(args);
    const changed = Promise.withResolvers<void>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    onChange = () => {
      clearTimeout(timer);
      timer = setTimeout(changed.resolve, SETTLE_MS);
    };
    const isEnd = await Promise.race([
      changed.promise.then(() => false),
      ended.promise.then(() => true),
    ]);
    kill(child, "SIGTERM");
    const { code } = await child.status;
    if (isEnd) return code;
    console.error("The code has changed; starting anew");
  }
}

function start(args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...PERMISSIONS, V8_FLAGS, `${ROOT}main.ts`, ...args],
  }).spawn();
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended by itself.
  }
}
