/**
 * Runs the checks of `doctor` as the installed service runs, by systemd.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { proxiesFromEnvironment } from "../config/environment.ts";
import { hasTag } from "../config/option_table.ts";
import type { Tools } from "../host/tool_runner.ts";
import { truncate } from "../parse/bounded_text.ts";
import { isJsonObject, parseJson } from "../parse/json.ts";
import type { InstallRecord } from "../service/install_record.ts";
import {
  asServiceCommand,
  environmentFiles,
  settingsUser,
  settingsVariables,
  showSettingsCommand,
} from "../service/run_as_service.ts";
import { readSavedProxies } from "../service/service_environment.ts";
import { settingNames, type UnitSetting, variableFile } from "../service/loaded_unit.ts";
import { readHealth } from "../state/health_reader.ts";
import { environmentFileOf } from "../service/service_paths.ts";
import { type CheckResult, ok, result, skipped, warning } from "./checks.ts";

/**
 * Set for the doctor that runs as the service and prints its checks for the one that started it: the
 * settings of the unit, as JSON.
 */
export const AS_SERVICE = "KOMARI_AGENT_DOCTOR";
/** When that doctor is ended, in milliseconds since 1970. */
const AS_SERVICE_UNTIL = "KOMARI_AGENT_DOCTOR_UNTIL";
/** Its time where it was not told when it is ended. */
const AS_SERVICE_MS = 10_000;

/** The outcome of the checks run as the service. */
export interface ServiceRun {
  /** As whom they ran, or why they did not. */
  readonly result: CheckResult;
  /** The checks, each a line of JSON; `undefined` when they could not run. */
  readonly checks: readonly string[] | undefined;
  /** How the program of the service ends that is started to check; `undefined` where it does not fail. */
  readonly startError?: string | undefined;
  /** The proxies of the service, for checks in this shell. */
  readonly proxies: Config["proxies"];
}

/** Variables that change how a panel is reached. */
const NETWORK_VARIABLES = [
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"],
  ...["SSL_CERT_FILE", "SSL_CERT_DIR", "DENO_CERT", "DENO_TLS_CA_STORE", "NODE_EXTRA_CA_CERTS"],
];

/** Settings of a unit that explain what its checks observe. */
const EXPLAINING = [
  ...["PrivateNetwork", "NetworkNamespacePath", "RestrictAddressFamilies", "IPAddressDeny"],
  "IPAddressAllow",
  ...["PrivateUsers", "AmbientCapabilities", "CapabilityBoundingSet", "ProtectProc"],
  ...["InaccessiblePaths", "ReadOnlyPaths", "ReadWritePaths", "ProtectSystem", "StateDirectory"],
  ...["TemporaryFileSystem", "NoExecPaths", "DynamicUser"],
];

const SHOW_MS = 3_000;

/**
 * Runs the checks as the service whose configuration this is, by its `record`; `undefined` when it is
 * no service's.
 *
 * @param options `settings`: those of its unit. `timeoutMs`: after it systemd ends what still runs.
 */
export async function runAsService(
  config: Config,
  record: InstallRecord | undefined,
  { env, tools, settings, signal, timeoutMs }: {
    env: Readonly<Record<string, string>>;
    tools: Tools;
    settings: readonly UnitSetting[];
    signal: AbortSignal;
    timeoutMs: number;
  },
): Promise<ServiceRun | undefined> {
  if (!config.isConfigInstalled || record === undefined) return undefined;
  // What is on a command line here would be in the journal, and is not the service's.
  const flags = [...config.origins].filter(([key, origin]) =>
    origin.startsWith("flag ") && !hasTag(key, "output")
  ).map(([, origin]) => origin);
  if (flags.length > 0) {
    const names = flags.map((origin) => origin.replace(/^flag /, "")).join(", ");
    const text = `this shell, since the service does not have ${names} of the command line`;
    return { checks: undefined, proxies: config.proxies, result: skipped(text) };
  }
  const { service, scope, runtimeFolder } = record;
  const saved = readSavedProxies(environmentFileOf(record.config)) ?? {};
  const proxies = attempt(() => proxiesFromEnvironment(saved)) ?? {};
  const notRun = (result: CheckResult): ServiceRun => ({ checks: undefined, proxies, result });
  const isOurs = scope === "user" || Deno.uid() === 0;
  if (record.manager !== "systemd" || !isOurs) return notRun(notAsService(record, { isOurs }));
  const { code, output: shown } = await tools.run(showSettingsCommand(service, scope), {
    signal,
    timeoutMs: SHOW_MS,
  });
  const isRunning = readHealth([runtimeFolder])?.isRunning === true;
  const failedRun = (output: string, code: number): ServiceRun => {
    const startError = lastWords(output);
    const why = startError ?? `its start exited with code ${code} and said nothing`;
    const text = `this shell with the service's proxies, since no check can run as it does: ${why}`;
    // Neither does the agent, unless it is seen.
    return isRunning ? notRun(skipped(text)) : { ...notRun(result("failed", text)), startError };
  };
  if (code !== 0) return failedRun(shown, code);
  const ofFiles = fileSettings(settings);
  const explaining = settings.filter(({ name }) => EXPLAINING.includes(name)).concat(
    variableSettings(settings),
    ofFiles,
  );
  const command = asServiceCommand(shown, {
    scope,
    words: [
      ...[record.program, "doctor", "--json", "--config", record.config],
      ...["--install-service-name", service],
    ],
    variables: {
      [AS_SERVICE]: JSON.stringify(explaining),
      [AS_SERVICE_UNTIL]: String(Date.now() + timeoutMs),
      RUNTIME_DIRECTORY: runtimeFolder,
    },
    timeoutMs,
  });
  const { code: ended, output } = await tools.run(command, {
    signal,
    timeoutMs: timeoutMs + 1_000,
  });
  const lines = output.split("\n").map((line) => line.trim());
  const checks = lines.filter((line) => line.startsWith('{"check"'));
  if (checks.length === 0) return failedRun(output, ended);
  const user = settingsUser(shown) || (scope === "user" ? "" : "root");
  const text = asUser(user, differences(env, shown, settings), [...settings, ...ofFiles]);
  const tested = ended === 0
    ? ok(text)
    : warning(`${text}; its process ended before all checks did (code ${ended})`);
  return { checks, proxies, result: tested };
}

/** The names of variables that a unit sets, without their values, which may be secret. */
function variableSettings(settings: readonly UnitSetting[]): UnitSetting[] {
  return settings.filter(({ name }) => name === "Environment").map((setting) => ({
    ...setting,
    value: settingNames([setting]).map((it) => `${it}=`).join(" "),
  }));
}

/** The names of variables in the files that a unit reads, which count before its own, without their values. */
export function fileSettings(settings: readonly UnitSetting[]): UnitSetting[] {
  return settings.filter(({ name }) => name === "EnvironmentFile").flatMap(({ value }) => {
    const file = value.replace(/^-/, "");
    const names = variablesIn(attempt(() => Deno.readTextFileSync(file)) ?? "");
    return names.length === 0
      ? []
      : [{ name: "Environment", value: names.map((it) => `${it}=`).join(" "), file }];
  });
}

/** The names of the variables in a file of them. */
function variablesIn(text: string): string[] {
  return [...text.matchAll(/^\s*([A-Za-z_]\w*)=/gm)].map(([, name = ""]) => name);
}

/** The time that the doctor which runs as the service has left, in milliseconds; bounded if the clock is set. */
export function leftAsService(env: Readonly<Record<string, string>>): number {
  const leftMs = Number(env[AS_SERVICE_UNTIL] ?? NaN) - Date.now();
  return leftMs > 0 && leftMs < 2 * AS_SERVICE_MS ? leftMs : AS_SERVICE_MS;
}

/** Reads the settings in {@linkcode AS_SERVICE}; none where there are none. */
export function parseUnitSettings(text: string): UnitSetting[] {
  const values = parseJson(text);
  return !Array.isArray(values) ? [] : values.filter(isJsonObject).flatMap((it) => {
    const { name, value, file, line } = it;
    if (typeof name !== "string" || typeof value !== "string" || typeof file !== "string") {
      return [];
    }
    return [{ name, value, file, ...typeof line === "number" && { line } }];
  });
}

function notAsService(
  { user, manager }: { user: string; manager: string },
  { isOurs }: { isOurs: boolean },
): CheckResult {
  const whose = user === "" ? "" : ` (user ${user})`;
  const text = `this shell with the service's proxies, and not as the service runs${whose}`;
  return isOurs
    ? skipped(`${text}: ${manager} can't do that`)
    : skipped(text, "run it as root (sudo) to test as the service runs");
}

/** What a runtime says that ends by itself, for those who made it. */
const OF_RUNTIME = /panicked at|RUST_BACKTRACE|^Args: |Fatal |SyntaxError|^at file:/;

/** Why a program did not get to its first check, by what it has written. */
function lastWords(output: string): string | undefined {
  const lines = output.split("\n").map((line) => line.trim()).filter((line) =>
    line !== "" && !line.startsWith("{")
  );
  const error = lines.findLast((line) => /Cannot |Failed |too many open files/i.test(line));
  const last = lines.some((line) => OF_RUNTIME.test(line)) ? "its runtime ended" : lines.at(-1);
  const words = error ?? last;
  return words === undefined ? undefined : truncate(words, 300);
}

/** Names of network variables that this shell or the service alone has. */
interface Differences {
  readonly ofShell: readonly string[];
  readonly ofService: readonly string[];
}

function differences(
  env: Readonly<Record<string, string>>,
  shown: string,
  settings: readonly UnitSetting[],
): Differences {
  const files = environmentFiles(shown).map((path) =>
    attempt(() => Deno.readTextFileSync(path)) ?? ""
  );
  const inFiles = variablesIn(files.join("\n"));
  const names = (all: readonly string[]) =>
    NETWORK_VARIABLES.filter((name) => all.includes(name) || all.includes(name.toLowerCase()));
  const unit = [...settingsVariables(shown), ...inFiles, ...settingNames(settings)];
  const set = Object.keys(env).filter((name) => env[name] !== "");
  const options = set.filter((name) => name.startsWith("AGENT_") && !unit.includes(name));
  const [shell, service] = [[...names(set), ...options], names(unit)];
  return {
    ofShell: shell.filter((name) => !service.includes(name)),
    ofService: service.filter((name) => !shell.includes(name)),
  };
}

function asUser(
  user: string,
  { ofShell, ofService }: Differences,
  settings: readonly UnitSetting[],
): string {
  const shell = ofShell.join(", ");
  const service = ofService.map((name) => {
    const file = variableFile(settings, name) ?? variableFile(settings, name.toLowerCase());
    return file === undefined ? name : `${name} (${file})`;
  }).join(", ");
  const unused = ofShell.length === 0
    ? ""
    : `; this shell alone has ${shell}, which ${ofShell.length === 1 ? "is" : "are"} not used`;
  const own = ofService.length === 0 ? "" : `; the service alone has ${service}`;
  return `the service, as ${user || "this user"} with its variables and limits${unused}${own}`;
}
