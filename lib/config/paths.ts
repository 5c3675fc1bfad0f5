import type { Command } from "./command_line.ts";
import type { ConfigSources } from "./option_lookup.ts";

/** The folders that the system has named for what concerns a run only; empty where it has not. */
export interface RuntimePlaces {
  readonly runtimeDir: string;
  /** Below what is the user's own. */
  readonly userRuntimeDir: string;
}

/** Takes the first folder that systemd names, and what is the user's own. */
export function runtimePlaces(env: Readonly<Record<string, string>>): RuntimePlaces {
  const { RUNTIME_DIRECTORY = "", XDG_RUNTIME_DIR = "", TMPDIR = "" } = env;
  const [ofSystemd = ""] = RUNTIME_DIRECTORY.split(":");
  const own = [XDG_RUNTIME_DIR, TMPDIR].find(isFullPath) ?? "";
  return {
    runtimeDir: isFullPath(ofSystemd) ? ofSystemd : "",
    userRuntimeDir: own === "" ? "" : `${own.replace(/\/+$/, "")}/komari-agent-deno`,
  };
}

function isFullPath(path: string): boolean {
  return path.startsWith("/");
}

/** The folders that a user or the system has named for what is kept; empty where none has. */
export interface StatePlaces {
  readonly stateDir: string;
  /** Below the user's home. */
  readonly userStateDir: string;
}

const NAME = "komari-agent-deno";

/** Takes the option before what systemd names; of systemd's list, the first. */
export function statePlaces(
  option: string,
  env: Readonly<Record<string, string>>,
): StatePlaces {
  const { STATE_DIRECTORY = "", XDG_STATE_HOME = "", HOME = "" } = env;
  const [ofSystemd = ""] = STATE_DIRECTORY.split(":");
  const home = isFullPath(XDG_STATE_HOME)
    ? XDG_STATE_HOME
    : isFullPath(HOME)
    ? `${HOME}/.local/state`
    : "";
  return {
    stateDir: option !== "" ? option : isFullPath(ofSystemd) ? ofSystemd : "",
    userStateDir: home === "" ? "" : `${home}/${NAME}`,
  };
}

/** Commands about the agent that is installed, rather than about one that is started now. */
const ABOUT_THE_INSTALLED: readonly string[] = [
  "install",
  "traffic show",
  "traffic set",
  "health",
];

/**
 * The configuration of the installed service, for commands about it; `undefined` when there is none
 * that this user can read.
 */
export function installedConfig(
  command: Command,
  { serviceName, installedConfigs, readText }:
    & Pick<ConfigSources, "installedConfigs" | "readText">
    & { serviceName: string },
): string | undefined {
  if (!ABOUT_THE_INSTALLED.includes(command)) return undefined;
  return installedConfigs?.(serviceName).find((path) => {
    try {
      readText(path);
      return true;
    } catch {
      return false;
    }
  });
}

/** Those of an environment's variables that are named, as far as they are there. */
export function pickVariables(
  env: Readonly<Record<string, string>>,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => {
    const value = env[name];
    return value === undefined ? [] : [[name, value]];
  }));
}
