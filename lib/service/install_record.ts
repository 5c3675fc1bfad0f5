import { attempt } from "../attempt.ts";
import type { RuntimePaths } from "../config/environment.ts";
import { thisProgram } from "../host/this_program.ts";
import { isJsonObject, jsonFields, parseJson } from "../parse/json.ts";
import { basename } from "../parse/path.ts";
import { runtimeFolders } from "../state/paths.ts";
import { PROGRAM } from "../version.ts";
import {
  type GivenPaths,
  type ManagerKind,
  MANAGERS,
  type ServicePaths,
  servicePaths,
  type ServiceScope,
} from "./service_manager.ts";

/** The files and settings of an installation, for updating and removing it. */
export interface InstallRecord extends GivenPaths {
  readonly service: string;
  readonly manager: ManagerKind;
  readonly scope: ServiceScope;
  /** The user that the service runs as; empty for a user's own service. */
  readonly user: string;
  /** Whether the installation created that user. */
  readonly createdUser: boolean;
  /** The user for whom lingering was enabled; empty when it was not. */
  readonly enabledLinger: string;
  readonly program: string;
  /** All other files that were written. */
  readonly files: readonly string[];
  /** Links to the program. */
  readonly links: readonly string[];
  /** Folders to remove when they are empty. */
  readonly folders: readonly string[];
  /** Folders to remove with everything in them. */
  readonly trees: readonly string[];
  /** The version that `--pin` keeps; empty when newer ones may be installed. */
  readonly pinned: string;
  /** Options given to `install` that root relies on, by configuration key. */
  readonly rootOptions: Readonly<Record<string, string>>;
}

/** Formats a record as JSON. */
export function formatInstallRecord(record: InstallRecord): string {
  return JSON.stringify(record, null, 2) + "\n";
}

/**
 * Parses the output of {@linkcode formatInstallRecord}.
 *
 * @throws {SyntaxError} When a field is missing or wrong, or a path is not absolute: the listed
 * paths are going to be removed.
 */
export function parseInstallRecord(text: string): InstallRecord {
  const fields = jsonFields(parseJson(text));
  const take = <T>(name: string, isOne: (value: unknown) => value is T): T => {
    const value = fields[name];
    if (isOne(value)) return value;
    throw new SyntaxError(`Cannot parse the installation record: ${name}`);
  };
  return {
    service: take("service", isServiceName),
    manager: take("manager", isManager),
    scope: take("scope", isScope),
    user: take("user", isText),
    createdUser: take("createdUser", isSwitch),
    enabledLinger: take("enabledLinger", isText),
    program: take("program", isFullPath),
    config: take("config", isFullPath),
    stateFolder: take("stateFolder", isFullPath),
    runtimeFolder: take("runtimeFolder", isFullPath),
    logFile: take("logFile", isFullPath),
    files: take("files", arePaths),
    links: take("links", arePaths),
    folders: take("folders", arePaths),
    trees: take("trees", areTrees),
    pinned: take("pinned", isText),
    rootOptions: take("rootOptions", areTexts),
  };
}

const isText = (value: unknown): value is string => typeof value === "string";
const isSwitch = (value: unknown): value is boolean => typeof value === "boolean";
const isManager = (value: unknown): value is ManagerKind => MANAGERS.some((it) => it === value);
const isScope = (value: unknown): value is ServiceScope => value === "system" || value === "user";
const isServiceName = (value: unknown): value is string =>
  isText(value) && /^[\w.@-]+$/.test(value);
const isFullPath = (value: unknown): value is string =>
  isText(value) && /^(\/[^/\0]+)+$/.test(value) && !/\/\.\.?(\/|$)/.test(value);
const arePaths = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every(isFullPath);
/** A top-level folder is never removed with everything in it. */
const areTrees = (value: unknown): value is string[] =>
  arePaths(value) && value.every((path) => path.split("/").length > 2);
const areTexts = (value: unknown): value is Record<string, string> =>
  isJsonObject(value) && Object.values(value).every(isText);

/**
 * Reads the record of an installation; `undefined` when there is none.
 *
 * @throws {Error} When it can't be read or parsed.
 */
export function readInstallRecord(path: string): InstallRecord | undefined {
  try {
    return parseInstallRecord(Deno.readTextFileSync(path));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`Cannot read ${path}`, { cause });
  }
}

/** Candidate configuration files of an installed service: the user's, then the system's. */
export function installedConfigPaths(
  name: string,
  env: Readonly<Record<string, string>>,
): readonly string[] {
  return pathsForUser(name, env).map(({ config }) => config);
}

/**
 * The owner's id of a file that is neither this user's nor root's, who could have written anything
 * into it; else `undefined`.
 *
 * @throws {Error} When there is no such file.
 */
export function foreignOwner(path: string): number | undefined {
  const { uid } = Deno.statSync(path);
  return uid === null || uid === 0 || uid === Deno.uid() ? undefined : uid;
}

/**
 * The record of this user's installation of a service, else of the system's; `undefined` when there
 * is none.
 *
 * @throws {Error} When it can't be read or parsed.
 */
export function findInstallRecord(
  name: string,
  env: Readonly<Record<string, string>>,
): InstallRecord | undefined {
  for (const { record } of pathsForUser(name, env)) {
    const found = readInstallRecord(record);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Options that root gave to `install`, by the record; none when it can't be read. They belong to the
 * installer, not to the service's user. The program of a further service counts as that one's, also where
 * nothing names it: two services may have releases of their own.
 */
export function installedRootOptions(
  name: string,
  env: Readonly<Record<string, string>>,
  program: string = thisProgram().path,
): ReadonlyMap<string, string> {
  const find = (name: string) => attempt(() => findInstallRecord(name, env));
  const realPath = (path: string) => attempt(() => Deno.realPathSync(path));
  const path = realPath(program) ?? "";
  const own = name === PROGRAM ? find(basename(path)) : undefined;
  const isOwn = own !== undefined && realPath(own.program) === path;
  return new Map(Object.entries((isOwn ? own : find(name))?.rootOptions ?? {}));
}

/** The folders that may hold the health file of an installed service, or of an agent of this user. */
export function agentFolders(
  config: RuntimePaths & { readonly serviceName: string },
  env: Readonly<Record<string, string>>,
): string[] {
  const record = attempt(() => findInstallRecord(config.serviceName, env));
  if (record === undefined) return runtimeFolders(config);
  const { runtimeFolder } = record;
  return config.serviceName === PROGRAM
    ? [...runtimeFolders(config), runtimeFolder]
    : [runtimeFolder];
}

function pathsForUser(
  name: string,
  { HOME = "" }: Readonly<Record<string, string>>,
): ServicePaths[] {
  const owner = { uid: Deno.uid() ?? 0, home: HOME, userRuntimeDir: "", os: Deno.build.os };
  const ofSystem = servicePaths(name, owner, "system");
  if (owner.uid === 0 || !HOME.startsWith("/")) return [ofSystem];
  return [servicePaths(name, owner, "user"), ofSystem];
}
