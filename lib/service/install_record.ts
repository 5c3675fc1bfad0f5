import { type ManagerKind, MANAGERS } from "./managed_service.ts";

/** What an installation has made, so that it can be changed and taken away again. */
export interface InstallRecord {
  readonly service: string;
  readonly manager: ManagerKind;
  readonly scope: "system" | "user";
  /** Whom the service runs as; empty for a user's own service. */
  readonly user: string;
  /** Whether that user was made for it. */
  readonly madeUser: boolean;
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
  readonly told: Readonly<Record<string, string>>;
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
  if (typeof parsed !== "object" || parsed === null) throw wrong("it is no object");
  const fields: Record<string, unknown> = { ...parsed };
  const manager = MANAGERS.find((kind) => kind === fields.manager);
  if (manager === undefined) throw wrong("manager");
  const { scope, user, service } = fields;
  if (scope !== "system" && scope !== "user") throw wrong("scope");
  if (typeof user !== "string") throw wrong("user");
  if (typeof service !== "string" || !/^[\w.@-]+$/.test(service)) throw wrong("service");
  return {
    service,
    manager,
    scope,
    user,
    madeUser: fields.madeUser === true,
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
    told: texts(fields.told),
  };

  function path(name: string): string {
    const value = fields[name];
    if (!isFullPath(value)) throw wrong(name);
    return value;
  }

  function paths(name: string, { depth = 1 } = {}): string[] {
    const values: unknown = fields[name];
    if (!Array.isArray(values)) throw wrong(name);
    return values.map((value: unknown) => {
      if (!isFullPath(value) || value.split("/").length <= depth) throw wrong(name);
      return value;
    });
  }
}

function texts(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) throw wrong("told");
  return Object.fromEntries(
    Object.entries(value).map(([key, text]) => {
      if (typeof text !== "string") throw wrong("told");
      return [key, text];
    }),
  );
}

function isFullPath(value: unknown): value is string {
  return typeof value === "string" && /^(\/[^/\0]+)+$/.test(value) &&
    !/\/\.\.?(\/|$)/.test(value);
}

function wrong(what: string): SyntaxError {
  return new SyntaxError(`Cannot use the record of the installation: ${what}`);
}
