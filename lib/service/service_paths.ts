import { dirname } from "../parse/path.ts";

/** Paths that a service is given, and that the record of its installation keeps. */
export interface GivenPaths {
  /** The configuration file. */
  readonly config: string;
  readonly stateFolder: string;
  /** The agent's health file, in memory. */
  readonly runtimeFolder: string;
  /** The log, for managers that keep none. */
  readonly logFile: string;
}

/** Paths of a service, by its name. */
export interface ServicePaths extends GivenPaths {
  /** Configuration, proxy variables and the record of the installation. */
  readonly configFolder: string;
  readonly environmentFile: string;
  readonly record: string;
  readonly programFolder: string;
  /** A link to the program in a folder on the `PATH`. */
  readonly link: string;
}

/** A service of the system, or of one user. */
export type ServiceScope = "system" | "user";

/** The user who installs a service. */
export interface ServiceOwner {
  readonly uid: number;
  /** The user's home; unused for system services. */
  readonly home: string;
  /** The user's `$XDG_RUNTIME_DIR`; empty when there is none. */
  readonly userRuntimeDir: string;
  readonly os: string;
}

/** Root installs for the system, everybody else for himself. */
export function scopeOf({ uid }: Pick<ServiceOwner, "uid">): ServiceScope {
  return uid === 0 ? "system" : "user";
}

/** The file of the variables that `install` keeps, beside the configuration of a service. */
export function environmentFileOf(config: string): string {
  return `${dirname(config)}/environment`;
}

/** The default paths of a service. */
export function servicePaths(
  name: string,
  owner: ServiceOwner,
  scope: ServiceScope = scopeOf(owner),
): ServicePaths {
  const { home, userRuntimeDir, os } = owner;
  const ofSystem = scope === "system";
  const configFolder = ofSystem ? `/etc/${name}` : `${home}/.config/${name}`;
  const config = `${configFolder}/config.json`;
  const stateFolder = ofSystem ? `/var/lib/${name}` : `${home}/.local/state/${name}`;
  const runtime = ofSystem ? "/run" : userRuntimeDir;
  return {
    configFolder,
    config,
    environmentFile: environmentFileOf(config),
    record: `${configFolder}/install.json`,
    programFolder: ofSystem ? `/opt/${name}` : `${home}/.local/share/${name}`,
    stateFolder,
    // macOS has no permanent folder in memory.
    runtimeFolder: os === "darwin" || runtime === "" ? `${stateFolder}/run` : `${runtime}/${name}`,
    logFile: ofSystem ? `/var/log/${name}.log` : `${stateFolder}/agent.log`,
    link: ofSystem ? `/usr/local/bin/${name}` : `${home}/.local/bin/${name}`,
  };
}
