/**
 * Runs a program as a service of systemd runs: as its user, with its variables, and with what its
 * unit allows it, by a transient unit that is gone afterwards.
 *
 * @module
 */

import type { ToolCommand } from "../host/tool_runner.ts";
import type { ServiceScope } from "./service_paths.ts";

/** Settings that decide what a process of the unit may do and sees; others are those of any unit. */
const SETTINGS: readonly string[] = [
  ...["User", "Group", "SupplementaryGroups", "UMask", "WorkingDirectory", "RootDirectory"],
  ...["CapabilityBoundingSet", "AmbientCapabilities", "NoNewPrivileges", "MemoryDenyWriteExecute"],
  ...["PrivateTmp", "PrivateDevices", "PrivateNetwork", "PrivateUsers", "NetworkNamespacePath"],
  ...["ProtectSystem", "ProtectHome", "ProtectProc", "ProcSubset", "ProtectClock"],
  ...["ProtectControlGroups", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules"],
  ...["ProtectKernelTunables", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths"],
  ...["BindPaths", "BindReadOnlyPaths", "ExecPaths", "NoExecPaths"],
  ...["TemporaryFileSystem", "StateDirectory", "LockPersonality"],
  ...["RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID"],
  ...["SystemCallFilter", "SystemCallArchitectures", "SystemCallErrorNumber"],
  ...["IPAddressAllow", "IPAddressDeny", "Environment", "UnsetEnvironment"],
];
/** Those among them that a user's own manager may set. */
const USER_SETTINGS: readonly string[] = [
  ...["UMask", "WorkingDirectory", "Environment", "UnsetEnvironment"],
];
/** Limits, which have a soft half of their own. */
const LIMITS: readonly string[] = ["LimitNOFILE", "LimitNPROC", "LimitAS"];
/** How systemd shows settings that are not set. */
const NOT_SET: readonly string[] = ["~", "2147483646"];
/** Settings that take everything away when they are empty; any other that is empty is not set. */
const MEANINGFUL_WHEN_EMPTY: readonly string[] = ["CapabilityBoundingSet"];
const FILES = "EnvironmentFiles";
const STATE = "StateDirectory";

/** Asks for the settings of a unit that {@linkcode asServiceCommand} takes. */
export function showSettingsCommand(name: string, scope: ServiceScope): ToolCommand {
  const properties = [...SETTINGS, ...LIMITS, ...LIMITS.map((limit) => `${limit}Soft`), FILES];
  return {
    tool: "systemctl",
    args: [...userFlag(scope), "show", `${name}.service`, `--property=${properties.join(",")}`],
  };
}

/**
 * A command that runs `words` with the settings of a unit, by the output of
 * {@linkcode showSettingsCommand}, and ends as they do. `variables` are added to those of the unit, and
 * what still runs after `timeoutMs` is ended.
 */
export function asServiceCommand(
  shown: string,
  { scope, words, variables, timeoutMs }: {
    scope: ServiceScope;
    words: readonly string[];
    variables: Readonly<Record<string, string>>;
    timeoutMs: number;
  },
): ToolCommand {
  const settings = parseSettings(shown);
  const single = (scope === "user" ? USER_SETTINGS : SETTINGS).flatMap((name) => {
    const value = settings.get(name)?.[0];
    if (value === undefined || NOT_SET.includes(value)) return [];
    // systemd would give the folder to the user, and what is wrong with it would be gone.
    if (name === STATE) return statePaths(value).map((path) => `ReadWritePaths=-${path}`);
    // It shows variables as a shell reads them, and takes them as its own files have them.
    const taken = name === "Environment"
      ? value.replace(/\\([\\\x22$`])/g, (all, it) => /[$`]/.test(it) ? it : all)
      : value;
    return value === "" && !MEANINGFUL_WHEN_EMPTY.includes(name) ? [] : [`${name}=${taken}`];
  });
  const limits = LIMITS.flatMap((name) => {
    const [hard, soft] = [settings.get(name)?.[0], settings.get(`${name}Soft`)?.[0]];
    return hard === undefined || soft === undefined ? [] : [`${name}=${soft}:${hard}`];
  });
  const states = scope === "user" ? [] : statePaths(settings.get(STATE)?.[0]);
  const stateVariable = states.length === 0 ? {} : { STATE_DIRECTORY: states.join(":") };
  const files = environmentFiles(shown).map((path) => `EnvironmentFile=-${path}`);
  return {
    tool: "systemd-run",
    args: [
      ...userFlag(scope),
      ...["--quiet", "--wait", "--collect", "--pipe"],
      ...["-p", `RuntimeMaxSec=${timeoutMs / 1000}`, "-p", "TimeoutStopSec=1"],
      ...[...single, ...limits, ...files].flatMap((setting) => ["-p", setting]),
      ...Object.entries({ ...stateVariable, ...variables }).map(([name, value]) =>
        `--setenv=${name}=${value}`
      ),
      "--",
      ...words,
    ],
  };
}

function statePaths(value = ""): string[] {
  return value.split(" ").filter((name) => name !== "").map((name) => `/var/lib/${name}`);
}

/** The files of variables that a unit reads, by the output of {@linkcode showSettingsCommand}. */
export function environmentFiles(shown: string): string[] {
  return (parseSettings(shown).get(FILES) ?? [])
    .map((value) => value.replace(/ \(ignore_errors=(yes|no)\)$/, ""))
    .filter((path) => path.startsWith("/"));
}

/** The user that a unit names; empty when it names none. */
export function settingsUser(shown: string): string {
  return parseSettings(shown).get("User")?.[0] ?? "";
}

/** The names of the variables that a unit sets itself. */
export function settingsVariables(shown: string): string[] {
  const [value = ""] = parseSettings(shown).get("Environment") ?? [];
  return [...value.matchAll(/(?:^| )"?([A-Za-z_]\w*)=/g)].map(([, name = ""]) => name);
}

/** Lines of `Name=value`; a name may come several times. */
function parseSettings(shown: string): Map<string, string[]> {
  const settings = new Map<string, string[]>();
  for (const line of shown.split("\n")) {
    const at = line.indexOf("=");
    if (at === -1) continue;
    const name = line.slice(0, at);
    settings.set(name, [...settings.get(name) ?? [], line.slice(at + 1)]);
  }
  return settings;
}

function userFlag(scope: ServiceScope): string[] {
  return scope === "user" ? ["--user"] : [];
}
