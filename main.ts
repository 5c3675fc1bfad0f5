/**
 * The entry point: runs the command of the command line, and exits with its code.
 *
 * @module
 */

import { runAgent } from "./lib/agent/run_agent.ts";
import { useEngineTimers } from "./lib/async/engine_timers.ts";
import type { CommandContext, CommandFunction } from "./lib/cli/command.ts";
import { explainError, logToStandardError, outputWithout, printError } from "./lib/cli/output.ts";
import { loadOtherCommands } from "./lib/cli/load_commands.ts";
import { runReport } from "./lib/cli/report.ts";
import { readOwnText, readStandardInput } from "./lib/cli/standard_input.ts";
import { listenForStop } from "./lib/cli/stop_signal.ts";
import { type Config, requestedOutput, resolveConfig } from "./lib/config/config.ts";
import type { Language } from "./lib/config/environment.ts";
import { isUsageError } from "./lib/config/usage_error.ts";
import { getLogger } from "./lib/log/log.ts";
import { redactSecrets } from "./lib/log/redact.ts";
import { readSystemAuthorities } from "./lib/host/system_authorities.ts";
import { useLocalTime } from "./lib/host/time_zone.ts";
import { hostRoots } from "./lib/metrics/open_machine.ts";
import { hardenProcess } from "./lib/sandbox/hardening.ts";
import { giveUpRoot } from "./lib/sandbox/seal.ts";
import {
  foreignOwner,
  installedConfigPaths,
  installedRootOptions,
} from "./lib/service/install_record.ts";

/** Exit codes: a failure, a mistake on the command line, and an end by Ctrl-C as shells name it. */
const EXIT = { failure: 1, usage: 2, interrupted: 130 } as const;

// Not awaited: the runtime keeps the compiled code for the next start when the module's evaluation
// ends, and all that it compiled with in memory until then.
if (import.meta.main) main().then((code) => Deno.exit(code));

async function main(): Promise<number> {
  const [args, env] = [Deno.args, Deno.env.toObject()];
  /** Read once, since a replacement resolves the configuration again. */
  let standardInput: string | undefined;
  const readStandardInputOnce = () => {
    // What its own language is, is not known yet.
    const { language } = requestedOutput({ args, env, readText: () => "{}" });
    return standardInput ??= readStandardInput(language);
  };
  const sources = {
    args,
    env,
    readText: (path: string) => path === "-" ? readStandardInputOnce() : readOwnText(path),
    readMode: (path: string) => path === "-" ? undefined : Deno.statSync(path).mode ?? undefined,
    foreignOwner,
    recordedOptions: (name: string) => installedRootOptions(name, Deno.env.toObject()),
    systemAuthorities: () => readSystemAuthorities(),
    installedConfigs: (name: string) => installedConfigPaths(name, Deno.env.toObject()),
  };
  /** Grows: a node that registers itself gets its token later. */
  const secrets: string[] = [];
  const { logFormat, language } = requestedOutput(sources);
  let inLanguage = await translator(language);
  const signal = listenForStop();
  const context: CommandContext = {
    signal,
    env: sources.env,
    secrets,
    inLanguage: (english) => inLanguage(english),
    ...outputWithout(secrets, (english) => inLanguage(english)),
    runAgent,
    giveUpRoot,
    resolveWith({ given }) {
      const imported = { importedOptions: given };
      const config = resolveConfig({ ...sources, ...imported });
      secrets.push(...config.secrets);
      return config;
    },
    resolveIn(env) {
      const config = resolveConfig({ ...sources, env });
      secrets.push(...config.secrets);
      return config;
    },
  };
  try {
    hardenProcess();
    const config = resolveConfig(sources);
    secrets.push(...config.secrets);
    useLocalTime(hostRoots(config.hostProc));
    inLanguage = await translator(isForPrograms(config) ? "en" : config.language);
    const run = await commandOf(config);
    return await run(config, context);
  } catch (error) {
    if (isCausedBy(error, signal)) return EXIT.interrupted;
    const text = redactSecrets(explainError(error), secrets);
    if (logFormat === "text") printError(inLanguage(text));
    else {
      logToStandardError({ logFormat, logLevel: "error", notices: [] }, []);
      getLogger("agent").error("{error}", { error: text });
    }
    return isUsageError(error) ? EXIT.usage : EXIT.failure;
  }
}

/** Whether what is printed is JSON. */
function isForPrograms({ json, logFormat }: Config): boolean {
  return json || logFormat === "json";
}

/** What translates the program's English; the texts are loaded only where they are needed. */
async function translator(language: Language): Promise<(english: string) => string> {
  if (language === "en") return (english) => english;
  const { translate } = await import("./lib/cli/translate.ts");
  return (english) => translate(english, language);
}

/** What runs the command, loaded only when it does. A container runs `health` every 30 s. */
async function commandOf({ dryRun, command }: Config): Promise<CommandFunction> {
  if (command === "health") {
    const { runHealth } = await import("./lib/cli/health.ts");
    return (config, context) =>
      runHealth(config, context, async (...of) => (await loadOtherCommands()).unseenService(...of));
  }
  if (command === "report" && !dryRun) {
    // For the lines of a stack the runtime reads files, at which a sealed process would end; nothing shows one.
    Error.stackTraceLimit = 0;
    useEngineTimers();
    return runReport;
  }
  const others = await loadOtherCommands();
  return await others[command === "report" ? "dryRun" : command]();
}

/** Whether an error comes from the abort of this signal. */
function isCausedBy(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at === signal.reason) return true;
  }
  return false;
}
