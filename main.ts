/**
 * The composition root: arguments, environment, signals, exit code.
 *
 * @module
 */

import { type Config, resolveConfig } from "./lib/config/config.ts";
import { helpText } from "./lib/config/help.ts";
import { UsageError } from "./lib/errors.ts";
import { describeError, getLogger, setUpLog } from "./lib/log.ts";
import { dryRun, reportTo } from "./lib/reporting.ts";
import { VERSION } from "./lib/version.ts";

// Not awaited: the runtime keeps the compiled code for the next start when the module's evaluation
// ends, and all that it compiled with in memory until then.
if (import.meta.main) main().then((code) => Deno.exit(code));

async function main(): Promise<number> {
  try {
    const config = resolveConfig({
      args: Deno.args,
      env: Deno.env.toObject(),
      readText: (path) => Deno.readTextFileSync(path),
    });
    return await run(config);
  } catch (error) {
    writeLine(explain(error));
    return error instanceof UsageError ? 2 : 1;
  }
}

async function run(config: Config): Promise<number> {
  if (config.help) return print(helpText());
  if (config.command === "version") return print(`komari-agent-deno ${VERSION}\n`);
  const { os, arch } = Deno.build;
  if (os !== "linux") {
    throw new UsageError(`Cannot run on ${os}: this version supports Linux on amd64 and arm64`);
  }
  const options = { signal: stopSignal(), arch };
  if (config.command === "demo") return await runDemo(config, options);
  if (config.dryRun) return print(await dryRun(config, options));
  if (config.endpoint === "" || config.token === "") {
    const missing = config.endpoint === ""
      ? "--endpoint URL"
      : "--token TOKEN or --token-file FILE";
    throw new UsageError(`Cannot report without ${missing}; see --help, or try it with "demo"`);
  }
  startLog(config, config.token);
  await reportTo(config, config, options);
  getLogger("agent").info("Stopped");
  return 0;
}

async function runDemo(
  config: Config,
  options: { signal: AbortSignal; arch: string },
): Promise<number> {
  const { describeFaults, parseFault } = await import("./lib/demo/fault.ts");
  if (config.fault === "help") return print(`${describeFaults()}\n`);
  const fault = config.fault === "" ? {} : { fault: parseFault(config.fault) };
  const { startDemo } = await import("./lib/demo/demo.ts");
  const panel = await startDemo({ port: config.port, ...fault });
  startLog(config, panel.token);
  print(`\nThe page of the stand-in panel: ${panel.url}/\nCtrl-C ends it.\n\n`);
  // Whoever tries it does not want strangers asked for addresses.
  const ipServices = config.ipServices === "default" ? "off" : config.ipServices;
  try {
    await reportTo({ endpoint: panel.url, token: panel.token }, { ...config, ipServices }, options);
  } finally {
    await panel.close();
  }
  return 0;
}

function startLog(config: Config, secret: string): void {
  const forJournal = config.logFormat === "text" && Deno.env.has("JOURNAL_STREAM");
  const { logLevel: level, logFormat: format } = config;
  setUpLog({ level, format, forJournal, secrets: [secret], write: writeLine });
  for (const notice of config.notices) getLogger("agent").warning("{notice}", { notice });
  // A mistake in one corner must not end an agent that nobody watches.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    getLogger("agent").error("Unexpected: {error}", { error: describeError(event.reason) });
  });
}

/** Aborts at the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.signal.aborted ? Deno.exit(1) : stop.abort());
  }
  return stop.signal;
}

function explain(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  const hint = hasCause(error, Deno.errors.NotCapable) ? "; run it with --allow-all" : "";
  return describeError(error) + hint;
}

function hasCause(error: unknown, kind: typeof Deno.errors.NotCapable): boolean {
  return error instanceof kind || (error instanceof Error && hasCause(error.cause, kind));
}

function print(text: string): 0 {
  write(Deno.stdout, text);
  return 0;
}

function writeLine(line: string): void {
  write(Deno.stderr, `${line}\n`);
}

function write(stream: typeof Deno.stdout, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let from = 0; from < bytes.length;) from += stream.writeSync(bytes.subarray(from));
  } catch {
    // Nobody reads any more; that is no reason to end.
  }
}
