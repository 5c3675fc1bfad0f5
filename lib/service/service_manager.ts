import type { ToolCommand } from "../host/tool_runner.ts";

/** All that a service's files say, whatever manager they are written for. */
export interface ServicePlan {
  /** The service's name, which its folders and its user have too. */
  readonly name: string;
  /** A service of the machine's, or of one user's. */
  readonly scope: "system" | "user";
  /** Full path of the program. */
  readonly program: string;
  /** Full path of the configuration file. */
  readonly config: string;
  /** Full path of the file with proxies; `undefined` where there are none. */
  readonly environmentFile: string | undefined;
  /** The one for updates, which nobody else may write than who they run as. */
  readonly updateEnvironmentFile: string | undefined;
  /** Whom a service of the machine's runs as; a user's own service runs as that user. */
  readonly user: string;
  readonly stateFolder: string;
  /** Where updates keep what they remember; the agent can't write there. */
  readonly updateFolder: string;
  /** Where the agent says how it is, in memory. */
  readonly runtimeFolder: string;
  /** Where the log goes when the manager keeps none. */
  readonly logFile: string;
  /** Full path of the Deno that a portable build is run with; `undefined` where it needs none. */
  readonly deno: string | undefined;
  /** How far it is shut off from what it has no need for. */
  readonly sandbox: Sandbox;
  /** Whether it asks graphics cards, which are devices. */
  readonly usesDevices: boolean;
  /** What looks for newer versions has to be told about where they are, as flags. */
  readonly releaseFlags: readonly string[];
  /** Whether newer versions are taken without being asked. */
  readonly isUpdated: boolean;
}

/**
 * How far a service is shut off: as far as it can be; without a view of the file system of its own,
 * which some containers refuse; or not at all, for remote control as root.
 */
export type Sandbox = "full" | "without view" | "none";

/** What the service is called in the manager's lists. */
export const DESCRIPTION = "Komari agent";

/** The first line of every file that is written, after what marks it as a comment. */
export const ORIGIN = "Written by `komari-agent-deno install`, which writes it anew.";

/** A file of a service, as it is to be. */
export interface ServiceFile {
  readonly path: string;
  readonly text: string;
  /** Permission bits. */
  readonly mode: number;
}

/** The service managers that are known. */
export const MANAGERS = ["systemd", "openrc", "procd", "launchd"] as const;

/** One of the service managers. */
export type ManagerKind = typeof MANAGERS[number];

/** One service in the hands of its manager: which files it needs, and what is run to do what. */
export interface ServiceManager {
  /** The files of the service as it is planned. */
  files(plan: ServicePlan): readonly ServiceFile[];
  /** After files were written or taken away. */
  readonly reload: readonly ToolCommand[];
  /** So that it starts with the machine; also what it has for updates, when `isUpdated`. */
  enable(options: { isUpdated: boolean }): readonly ToolCommand[];
  /** Starts it, or starts it anew when it runs. */
  readonly restart: readonly ToolCommand[];
  /** Stops it, and nothing of what it has for updates. */
  readonly stop: readonly ToolCommand[];
  readonly disable: readonly ToolCommand[];
  /**
   * Stops and forgets what it has for updates, and nothing else. It goes before `stop`: an update
   * that is under way would start the service again.
   */
  readonly disableUpdates: readonly ToolCommand[];
  /** A user's own manager, which may not be there or not be found; absent for the machine's. */
  readonly userManager?: {
    /** Ends with code 0 when it answers. */
    readonly answers: ToolCommand;
    /** The links that `enable` makes; only the manager takes them away. */
    readonly links: readonly string[];
  };
  /** Ends with code 0 while the service runs. */
  readonly isActive: ToolCommand;
  /** Writes the last few lines of the log. */
  readonly logTail: ToolCommand;
  /** What a user types to follow the log. */
  readonly logHint: string;
}

/** Which service of which user's or machine's, and how its manager gets to it. */
export interface ManagedService {
  readonly name: string;
  readonly scope: "system" | "user";
  readonly logFile: string;
  /** The user's home and number; a user's service needs them. */
  readonly home: string;
  readonly uid: number;
}
