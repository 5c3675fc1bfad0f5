import { type ManagerKind, MANAGERS } from "./service_manager.ts";
import { type ServicePaths, servicePaths } from "./service_paths.ts";

/** What an installation has made, so that it can be changed and taken away again. */
export interface InstallRecord {
  readonly service: string;
  readonly manager: ManagerKind;
  readonly scope: "system" | "user";
  /** Whom the service runs as; empty for a user's own service. */
  readonly user: string;
  /** Whether that user was made for it. */
  readonly createdUser: boolean;
  /** The user whose services were made to outlive his logins; empty where nobody's were. */
  readonly madeLinger: string;
  readonly program: string;
  readonly config: string;
  readonly stateFolder: string;
  readonly runtimeFolder: string;
  readonly logFile: string;
  /** Every other file that was written. */
  readonly files: readonly string[];
  /** Links to the program. */
  readonly links: readonly string[];
  /** Folders that go when nothing else is in them. */
  readonly folders: readonly string[];
  /** Folders that go with everything in them. */
  readonly trees: readonly string[];
  /** What root was told that root goes by, by the keys of the configuration file. */
  readonly rootOptions: Readonly<Record<string, string>>;
}

/** The record as it is written. */
export function formatInstallRecord(record: InstallRecord): string {
  return JSON.stringify(record, null, 2) + "\n";
}

/**
 * Reads what {@linkcode formatInstallRecord} wrote.
 *
 * @throws {SyntaxError} When it is something else, or names a path that is not full: whatever it
 * names is going to be removed.
 */
export function parseInstallRecord(text: string): InstallRecord {
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== "object" || parsed === null) throw invalidRecord("it is no object");
  const fields: Record<string, unknown> = { ...parsed };
  const manager = MANAGERS.find((kind) => kind === fields.manager);
  if (manager === undefined) throw invalidRecord("manager");
  const { scope, user, service } = fields;
  if (scope !== "system" && scope !== "user") throw invalidRecord("scope");
  if (typeof user !== "string") throw invalidRecord("user");
  if (typeof service !== "string" || !/^[\w.@-]+$/.test(service)) throw invalidRecord("service");
  return {
    service,
    manager,
    scope,
    user,
    createdUser: fields.createdUser === true,
    madeLinger: typeof fields.madeLinger === "string" ? fields.madeLinger : "",
    program: path("program"),
    config: path("config"),
    stateFolder: path("stateFolder"),
    runtimeFolder: path("runtimeFolder"),
    logFile: path("logFile"),
    files: paths("files"),
    links: paths("links"),
    folders: paths("folders"),
    // No folder that holds the system is ever ours with all that is in it.
    trees: paths("trees", { depth: 2 }),
    rootOptions: parseRootOptions(fields.rootOptions ?? fields.told),
  };

  function path(name: string): string {
    const value = fields[name];
    if (!isFullPath(value)) throw invalidRecord(name);
    return value;
  }

  function paths(name: string, { depth = 1 } = {}): string[] {
    const values: unknown = fields[name];
    if (!Array.isArray(values)) throw invalidRecord(name);
    return values.map((value: unknown) => {
      if (!isFullPath(value) || value.split("/").length <= depth) throw invalidRecord(name);
      return value;
    });
  }
}

function parseRootOptions(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) throw invalidRecord("told");
  return Object.fromEntries(
    Object.entries(value).map(([key, text]) => {
      if (typeof text !== "string") throw invalidRecord("told");
      return [key, text];
    }),
  );
}

function isFullPath(value: unknown): value is string {
  return typeof value === "string" && /^(\/[^/\0]+)+$/.test(value) &&
    !/\/\.\.?(\/|$)/.test(value);
}

function invalidRecord(what: string): SyntaxError {
  return new SyntaxError(`Cannot use the record of the installation: ${what}`);
}

/**
 * What was installed by a record's account, or `undefined` where there is none.
 *
 * @throws {Error} When there is one that can't be read or used.
 */
export function readInstallRecord(path: string): InstallRecord | undefined {
  try {
    return parseInstallRecord(Deno.readTextFileSync(path));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`Cannot read ${path}`, { cause });
  }
}

/** Where this user's installed service may have its configuration, and then the machine's. */
export function installedConfigPaths(
  name: string,
  env: Readonly<Record<string, string>>,
): readonly string[] {
  return pathsForUser(name, env).map(({ config }) => config);
}

/**
 * What was told to `install` that root goes by, by keys, from the first record that there is; it
 * belongs to whoever has installed the service, and not to its user.
 */
export function installedRootOptions(
  name: string,
  env: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  for (const { record } of pathsForUser(name, env)) {
    try {
      const rootOptions = readInstallRecord(record)?.rootOptions;
      if (rootOptions !== undefined) return new Map(Object.entries(rootOptions));
    } catch {
      // It can't be read, or is none: then nothing is known.
    }
  }
  return new Map();
}

function pathsForUser(
  name: string,
  { HOME = "" }: Readonly<Record<string, string>>,
): ServicePaths[] {
  const owner = { home: HOME, userRuntimeDir: "", os: Deno.build.os };
  const ofSystem = servicePaths(name, { ...owner, scope: "system" });
  if (Deno.uid() === 0 || !HOME.startsWith("/")) return [ofSystem];
  return [servicePaths(name, { ...owner, scope: "user" }), ofSystem];
}
