import type { ServiceFile, ServicePlan } from "./service_plan.ts";
import type { ToolCommand } from "./tool_command.ts";

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
  readonly ofUser?: {
    /** Ends with code 0 when it answers. */
    readonly answers: ToolCommand;
    /** The links that `enable` makes; only the manager takes them away. */
    readonly links: readonly string[];
  };
  /** Ends with code 0 while the service runs. */
  readonly isActive: ToolCommand;
  /** Writes the last few lines of the log. */
  readonly lastLog: ToolCommand;
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
