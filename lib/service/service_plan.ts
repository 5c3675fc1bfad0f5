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
