import type { ToolCommand } from "../host/tool_runner.ts";
import { dirname } from "../parse/path.ts";

/** The description of a service, for any service manager; its paths are absolute. */
export interface ServicePlan extends GivenPaths {
  /** The service's name, also used for its folders and its user. */
  readonly name: string;
  /** A service of the system, or of one user. */
  readonly scope: ServiceScope;
  readonly program: string;
  /** The file with proxy variables, which is absent where there are none. */
  readonly environmentFile: string;
  /** The user that a system service runs as; empty for a user's own service. */
  readonly user: string;
  /** State of updates, not writable for the agent. */
  readonly updateFolder: string;
  /** The Deno that runs a portable build; `undefined` for a compiled program. */
  readonly deno: string | undefined;
  readonly sandbox: ServiceSandbox;
  /** Whether the agent reads devices, for graphics cards. */
  readonly usesDevices: boolean;
  /** Flags of the update job that name the release server. */
  readonly releaseFlags: readonly string[];
  /** Whether an update job is installed. */
  readonly isUpdated: boolean;
}

/**
 * The sandbox of a service: everything that systemd offers; all but mount namespaces, which some
 * containers forbid; or none, for remote control as root.
 */
export type ServiceSandbox = "full" | "no mounts" | "none";

/** The description in the service manager's lists. */
export const DESCRIPTION = "Komari agent";

/** The first comment of every written file. */
export const ORIGIN = "Written by `komari-agent-deno install`; changes are overwritten.";

/** A file of a service. */
export interface ServiceFile {
  readonly path: string;
  readonly text: string;
  /** Permission bits. */
  readonly mode: number;
}

/** The supported service managers. */
export const MANAGERS = ["systemd", "openrc", "launchd"] as const;

/** A supported service manager. */
export type ManagerKind = typeof MANAGERS[number];

/** A command whose failure is ignored, such as of undoing what is already gone. */
export function optional(command: ToolCommand): ToolCommand {
  return { ...command, mayFail: true };
}

/** One service and its manager: the files it needs, and the commands that control it. */
export interface ServiceManager {
  /** The files of the service, without its update job. */
  files(plan: ServicePlan): readonly ServiceFile[];
  /** The files of the update job. */
  updateFiles(plan: ServicePlan): readonly ServiceFile[];
  /** Make the manager read changed files. */
  readonly reload: readonly ToolCommand[];
  /** Start the service at boot. */
  readonly enable: readonly ToolCommand[];
  /** Start the update job, now and at boot. */
  readonly enableUpdates: readonly ToolCommand[];
  /** Start the service, or restart it when it is running. */
  readonly restart: readonly ToolCommand[];
  /** Stop the service, but not its update job. */
  readonly stop: readonly ToolCommand[];
  readonly disable: readonly ToolCommand[];
  /**
   * Stop and disable the update job only. Runs before `stop`, since an update in progress would
   * start the service again.
   */
  readonly disableUpdates: readonly ToolCommand[];
  /** Exits with code 0 when a user's own manager is reachable; absent for the system's. */
  readonly answers?: ToolCommand;
  /** Exits with code 0 while the service is running. */
  readonly isActive: ToolCommand;
  /** Exits with code 0 if the service is started at boot. */
  readonly isEnabled: ToolCommand;
  /** Prints the last lines of the log. */
  readonly logTail: ToolCommand;
  /** The command that follows the log, for the user. */
  readonly logHint: string;
}

/** Identifies a service. */
export interface ManagedService {
  readonly name: string;
  readonly scope: ServiceScope;
  readonly logFile: string;
  /** The user's home and id; needed for a user's service. */
  readonly home: string;
  readonly uid: number;
}

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
