/** Where what belongs to a service lies, by its name. */
export interface ServicePaths {
  /** The configuration, the proxies, and the record of what was installed. */
  readonly configFolder: string;
  readonly config: string;
  readonly environmentFile: string;
  /** The proxies once more, where the service's user owns those. */
  readonly updateEnvironmentFile: string;
  readonly record: string;
  readonly programFolder: string;
  readonly stateFolder: string;
  readonly runtimeFolder: string;
  readonly logFile: string;
  /** Where the program is linked to, so that it is found by its name. */
  readonly link: string;
}

/** Whose service it is. */
export interface ServiceOwner {
  readonly scope: "system" | "user";
  /** The user's home; of no meaning for the machine's services. */
  readonly home: string;
  /** The user's folder in memory; empty where there is none. */
  readonly userRuntimeDir: string;
  readonly os: string;
}

/** The usual places of a service. */
export function servicePaths(name: string, owner: ServiceOwner): ServicePaths {
  const { scope, home, userRuntimeDir, os } = owner;
  const ofSystem = scope === "system";
  const configFolder = ofSystem ? `/etc/${name}` : `${home}/.config/${name}`;
  const stateFolder = ofSystem ? `/var/lib/${name}` : `${home}/.local/state/${name}`;
  const runtime = ofSystem ? "/run" : userRuntimeDir;
  return {
    configFolder,
    config: `${configFolder}/config.json`,
    environmentFile: `${configFolder}/environment`,
    updateEnvironmentFile: `${configFolder}/update-environment`,
    record: `${configFolder}/install.json`,
    programFolder: ofSystem ? `/opt/${name}` : `${home}/.local/share/${name}`,
    stateFolder,
    // A Mac has no folder in memory that stays the same.
    runtimeFolder: os === "darwin" || runtime === "" ? `${stateFolder}/run` : `${runtime}/${name}`,
    logFile: ofSystem ? `/var/log/${name}.log` : `${stateFolder}/agent.log`,
    link: ofSystem ? `/usr/local/bin/${name}` : `${home}/.local/bin/${name}`,
  };
}
