/**
 * The composition root: arguments, environment, signals, exit code.
 *
 * @module
 */

import { type Config, resolveConfig } from "./lib/config/config.ts";
import { helpText } from "./lib/config/help.ts";
import { wantedLogFormat } from "./lib/config/config.ts";
import { requireNode } from "./lib/config/credentials.ts";
import { secondsBetweenLooks } from "./lib/cli/dry_run.ts";
import { UsageError } from "./lib/config/usage_error.ts";
import { explainError } from "./lib/cli/output.ts";
import { RESTART_EXIT_CODE, RESTART_SIGNAL } from "./lib/host/this_program.ts";
import { installedConfigPaths, installedRootOptions } from "./lib/service/install_record.ts";
import type { CommandOptions } from "./lib/cli/install.ts";
import { runtimeFolders } from "./lib/host/paths.ts";
import { print, printError } from "./lib/cli/output.ts";
import { thisProgram } from "./lib/host/this_program.ts";
import { versionText } from "./lib/host/this_program.ts";
import { describeError, getLogger, redactSecrets, setUpLog } from "./lib/log/log.ts";
import { reportTo } from "./lib/agent/run_agent.ts";
import type { Platform } from "./lib/metrics/open_machine.ts";

// Not awaited: the runtime keeps the compiled code for the next start when the module's evaluation
// ends, and all that it compiled with in memory until then.
if (import.meta.main) main().then((code) => Deno.exit(code));

async function main(): Promise<number> {
  let format: "text" | "json" = "text";
  /** Grows: a node that registers itself gets its token later. */
  const secrets: string[] = [];
  try {
    const sources = {
      args: Deno.args,
      env: Deno.env.toObject(),
      readText: (path: string) => Deno.readTextFileSync(path),
      readMode: (path: string) => Deno.statSync(path).mode ?? undefined,
      isOwn: (path: string) => Deno.statSync(path).uid === Deno.uid(),
      installedRootOptions: (name: string) => installedRootOptions(name, Deno.env.toObject()),
      installedConfigPaths: (name: string) => installedConfigPaths(name, Deno.env.toObject()),
    };
    format = wantedLogFormat(sources);
    return await run(resolveConfig(sources), {
      secrets,
      resolveWith({ given, proxies }) {
        const env = { ...proxies, ...sources.env };
        const config = resolveConfig({ ...sources, env, takenOver: given });
        secrets.push(...config.secrets);
        return config;
      },
    });
  } catch (error) {
    const text = redactSecrets(explainError(error), secrets);
    if (format === "text") printError(text);
    else {
      setUpLog({ level: "error", format, forJournal: false, secrets: [], write: printError });
      getLogger("agent").error("{text}", { text });
    }
    return error instanceof UsageError ? 2 : 1;
  }
}

/** What a command may need beside what it was told. */
interface Surroundings extends Pick<CommandOptions, "resolveWith"> {
  readonly secrets: string[];
}

async function run(config: Config, { secrets, resolveWith }: Surroundings): Promise<number> {
  secrets.push(...config.secrets);
  if (config.help) return show(helpText());
  if (config.command === "version") return show(versionText(config));
  if (config.command === "health") {
    const { tellHealth } = await import("./lib/cli/health.ts");
    const { text, isHealthy } = tellHealth(runtimeFolders(config), config);
    print(text);
    return isHealthy ? 0 : 1;
  }
  const { os, arch } = Deno.build;
  if (os !== "linux" && os !== "darwin") {
    throw new UsageError(`Cannot run on ${os}: this version supports Linux and macOS`);
  }
  const options = { ...stopSignal(), os, arch };
  if (config.command === "traffic show" || config.command === "traffic set") {
    const { setTraffic, showTraffic } = await import("./lib/cli/traffic.ts");
    const act = config.command === "traffic show" ? showTraffic : setTraffic;
    return show(await act(config, options));
  }
  if (config.command === "install" || config.command === "uninstall") {
    return await runInstall(config, { ...options, resolveWith });
  }
  if (config.command === "update") return await runUpdate(config, options);
  if (config.command === "demo") return await runDemo(config, options);
  if (config.dryRun) return await runDryRun(config, options);
  requireNode(config, { verb: "report" });
  startLog(config, secrets);
  if (config.token !== "") await reportTo(config, config, options);
  else await reportDiscovered(config, { ...options, secrets });
  getLogger("agent").info("Stopped");
  return options.isRestart() ? RESTART_EXIT_CODE : 0;
}

async function runInstall(
  config: Config,
  options: Pick<CommandOptions, "signal" | "resolveWith">,
): Promise<number> {
  const { installCommand, uninstallCommand } = await import("./lib/cli/install.ts");
  const act = config.command === "install" ? installCommand : uninstallCommand;
  const printLine = (line: string) => print(`${line}\n`);
  const env = Deno.env.toObject();
  return await unlessStopped(options.signal, () => act(config, { env, printLine, ...options }));
}

async function runUpdate(config: Config, options: { signal: AbortSignal }): Promise<number> {
  startLog({ ...config, notices: [] }, config.secrets);
  const { update } = await import("./lib/cli/update.ts");
  // What was cut off goes on with the next one.
  return await unlessStopped(options.signal, async () => {
    const { text, isSuccess } = await update(config, { program: thisProgram(), ...options });
    print(text);
    return isSuccess ? 0 : 1;
  });
}

/** Reports as the node that this machine has registered as, or registers as now. */
async function reportDiscovered(
  config: Config,
  options: Platform & { signal: AbortSignal; secrets: string[] },
): Promise<void> {
  const { signal, secrets } = options;
  const { openDiscovery } = await import("./lib/panel/registered_node.ts");
  const onToken = (token: string) => void secrets.push(token);
  using discovery = await openDiscovery(config);
  await using node = await discovery.discover({ signal, onToken });
  if (node !== undefined) await reportTo(node, config, options);
}

async function runDryRun(
  config: Config,
  options: Platform & { signal: AbortSignal },
): Promise<number> {
  startLog(config, config.secrets);
  const { dryRun } = await import("./lib/cli/dry_run_command.ts");
  if (!config.json || Deno.stderr.isTerminal()) {
    printError(`Looking twice, ${secondsBetweenLooks(config.intervalSeconds)} s apart …`);
  }
  return await unlessStopped(options.signal, async () => show(await dryRun(config, options)));
}

/**
 * Does something to its end, or until it is stopped, which is told as a shell tells an end by Ctrl-C:
 * whoever stopped it needs no words, but a script a sign. What went wrong besides is told all the same.
 */
async function unlessStopped(signal: AbortSignal, act: () => Promise<number>): Promise<number> {
  try {
    return await act();
  } catch (error) {
    for (let at = error; at instanceof Error; at = at.cause) {
      if (signal.aborted && at === signal.reason) return 130;
    }
    throw error;
  }
}

async function runDemo(
  config: Config,
  options: Platform & { signal: AbortSignal },
): Promise<number> {
  const { describeFaults, parseFault } = await import("./lib/demo/fault.ts");
  if (config.fault === "help") return show(`${describeFaults()}\n`);
  const fault = config.fault === "" ? {} : { fault: parseFault(config.fault) };
  const { startDemo } = await import("./lib/demo/stand_in_panel.ts");
  const panel = await startDemo({
    port: config.port,
    remoteControl: config.remoteControl,
    ...fault,
  });
  startLog(config, [...config.secrets, panel.token]);
  print(`\nThe page of the stand-in panel: ${panel.pageUrl}\nCtrl-C ends it.\n\n`);
  // Whoever tries it does not want strangers asked for addresses.
  const ipServices = config.ipServices === "default" ? "off" : config.ipServices;
  try {
    await reportTo({ endpoint: panel.url, token: panel.token }, { ...config, ipServices }, options);
  } finally {
    await panel.close();
  }
  getLogger("agent").info("Stopped");
  return 0;
}

function startLog(config: Config, secrets: readonly string[]): void {
  const forJournal = config.logFormat === "text" && Deno.env.has("JOURNAL_STREAM");
  const { logLevel: level, logFormat: format } = config;
  setUpLog({ level, format, forJournal, secrets, write: printError });
  for (const notice of config.notices) getLogger("agent").warning("{notice}", { notice });
  // A mistake in one corner must not end an agent that nobody watches.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    getLogger("agent").error("Unexpected: {error}", { error: describeError(event.reason) });
  });
}

/** Aborts at the first signal to end; a second one ends the process at once. */
function stopSignal(): { signal: AbortSignal; isRestart: () => boolean } {
  const stop = new AbortController();
  let first: Deno.Signal | undefined;
  for (const signal of ["SIGINT", "SIGTERM", RESTART_SIGNAL] as const) {
    Deno.addSignalListener(signal, () => {
      if (first !== undefined) Deno.exit(1);
      first = signal;
      stop.abort();
    });
  }
  return { signal: stop.signal, isRestart: () => first === RESTART_SIGNAL };
}

function show(text: string): 0 {
  print(text);
  return 0;
}
