import type { ToolCommand } from "../host/tool_runner.ts";
import type { FileStep } from "./install_step.ts";
import type { GivenPaths, ServiceScope } from "./service_paths.ts";

/** The description of a service, for any service manager; its paths are absolute. */
export interface ServicePlan extends GivenPaths {
  /** The service's name, also used for its folders and its user. */
  readonly name: string;
  /** A service of the system, or of one user. */
  readonly scope: ServiceScope;
  readonly program: string;
  /** The file with proxy variables; `undefined` when there are none. */
  readonly environmentFile: string | undefined;
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
export type ServiceFile = Omit<FileStep, "do">;

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
  /** A user's own manager, which may be unreachable; absent for the system's. */
  readonly userManager?: {
    /** Exits with code 0 when the manager is reachable. */
    readonly answers: ToolCommand;
    /** The links that `enable` creates; only the manager removes them. */
    readonly links: readonly string[];
  };
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
