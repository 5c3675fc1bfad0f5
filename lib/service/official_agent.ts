import { attempt } from "../attempt.ts";
import { lookupVariable } from "../parse/os_release.ts";
import { splitShellWords } from "../parse/shell_words.ts";
import { PROGRAM } from "../version.ts";
import { changeablePart } from "./install_context.ts";
import { detectManager } from "./managers.ts";
import { officialManager, type OfficialService } from "./official_service.ts";
import { type ManagerKind, ORIGIN, scopeOf, type ServiceScope } from "./service_manager.ts";
import { entryNames, type TargetSystem } from "./target_system.ts";

/** An installed service of the official agent, and its command. */
export interface OfficialAgent extends OfficialService {
  /** The unit file, script or property list. */
  readonly unitPath: string;
  readonly binary: string;
  readonly args: readonly string[];
  /** Empty when its file names none. */
  readonly workingDirectory: string;
  /** What its file has beyond what the official installer writes; empty for nothing. */
  readonly handWritten: string;
}

/**
 * Recognizes the official agent by its file name and the installer's default folder.
 *
 * In another folder the file name `agent` is too common, so the service's name decides.
 */
export function isOfficialProgram(path: string, serviceName: string): boolean {
  const [name = "", folder = ""] = path.split("/").reverse();
  if (name.startsWith("komari-agent")) return !name.startsWith(PROGRAM);
  // `~/.komari` on macOS without root.
  return name === "agent" && (/^\.?komari$/.test(folder) || /(^|\.)komari/.test(serviceName));
}

/** Service files of a manager. */
interface ServiceFormat {
  /** The folder of the system's. */
  readonly folder: string;
  /** A user's own folder, below his home. */
  readonly userFolder?: string;
  /** Ending of a file's name; what stands before it is the service's name. */
  readonly ending: string;
  /** The program and its arguments, by the lines that the official installer writes. */
  words(text: string): readonly string[];
  workingDirectory(text: string): string;
  /** What can change the program's options, and is not the installer's. */
  readonly handWritten: RegExp;
}

const FORMATS: Readonly<Record<ManagerKind, ServiceFormat>> = {
  systemd: {
    folder: "/etc/systemd/system",
    userFolder: ".config/systemd/user",
    ending: ".service",
    words: (text) => splitShellWords(/^ExecStart=(.*)$/m.exec(text)?.[1] ?? ""),
    workingDirectory: (text) => /^WorkingDirectory=(.*)$/m.exec(text)?.[1] ?? "",
    handWritten: /^\s*(?:Pass)?Environment\w*\s*=|\\$|\$\w+|\$\{|\bExecStart=(?=[^]*ExecStart=)/m,
  },
  openrc: {
    folder: "/etc/init.d",
    ending: "",
    words: (text) =>
      splitShellWords(
        `${lookupVariable(text, "command") ?? ""} ${lookupVariable(text, "command_args") ?? ""}`,
      ),
    workingDirectory: (text) => lookupVariable(text, "directory") ?? "",
    handWritten: /^\s*export\s+\w+|^command(?:_args)?=.*\$/m,
  },
  launchd: {
    folder: "/Library/LaunchDaemons",
    userFolder: "Library/LaunchAgents",
    ending: ".plist",
    words: (text) =>
      Array.from(
        plistValue(text, "ProgramArguments", "array").matchAll(/<string>([^<]*)<\/string>/g),
        ([, value = ""]) => unescapeXml(value),
      ),
    workingDirectory: (text) => unescapeXml(plistValue(text, "WorkingDirectory", "string")),
    handWritten: /EnvironmentVariables/,
  },
};

/** The text within the value of a property list's key. */
function plistValue(text: string, key: string, type: string): string {
  const value = new RegExp(`<key>${key}</key>\\s*<${type}>([^]*?)</${type}>`);
  return value.exec(text)?.[1] ?? "";
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
};

function unescapeXml(text: string): string {
  return text.replace(/&\w+;/g, (entity) => ENTITIES[entity] ?? entity);
}

/** Larger than any service file. */
const MAX_BYTES = 256 * 1024;

/** Finds all services of official agents under a manager, by name. */
export function findOfficialAgents(
  kind: ManagerKind,
  { root, home }: Pick<TargetSystem, "root" | "home">,
  scope: ServiceScope,
): OfficialAgent[] {
  const { userFolder, ending, handWritten, ...format } = FORMATS[kind];
  const folder = scope === "system" ? format.folder : `${home}/${userFolder}`;
  return entryNames(root + folder).sort().flatMap((name) => {
    // Templates of systemd start nothing by themselves.
    if (!name.endsWith(ending) || /^\.|@\.service$/.test(name)) return [];
    const serviceName = name.slice(0, name.length - ending.length);
    const unitPath = `${folder}/${name}`;
    const text = readServiceFile(unitPath, root) ?? "";
    const [binary = "", ...args] = format.words(text);
    // A further service of this program may be named after that agent.
    if (text.includes(ORIGIN) || !isOfficialProgram(binary, serviceName)) return [];
    return [{
      ...{ manager: kind, scope, serviceName, unitPath, binary, args },
      workingDirectory: format.workingDirectory(text),
      handWritten: handWritten.exec(text)?.[0].trim() ?? "",
    }];
  });
}

/**
 * Finds the one official agent.
 *
 * @throws {Error} When there is none, or more than one; the message names them.
 */
export function onlyOfficialAgent(system: TargetSystem): OfficialAgent {
  const scope = scopeOf(system);
  const found = findOfficialAgents(detectManager(system), system, scope);
  const [official, ...others] = found;
  if (official === undefined) {
    const where = scope === "system"
      ? "no system service starts one"
      : "no service of this user starts one, and system services need root";
    throw new Error(`Cannot find an official agent: ${where}`);
  }
  if (others.length > 0) {
    const names = found.map(({ serviceName, unitPath }) => `${serviceName} (${unitPath})`);
    throw new Error(
      `Cannot choose between ${found.length} official agents: ${names.join(", ")}; ` +
        "remove the services that should not be replaced",
    );
  }
  return official;
}

/** Reads files below a root. @throws {Error} When a file is missing, not regular or too large. */
export function boundedReader(root: string): (path: string) => string {
  return (path) => {
    const { size, isFile } = Deno.statSync(root + path);
    if (!isFile || size > MAX_BYTES) {
      throw new Error(`Cannot read ${path}: it is not a regular file of at most 256 KiB`);
    }
    return Deno.readTextFileSync(root + path);
  };
}

/**
 * Reads files that an official agent names, below a root.
 *
 * @throws {Error} As {@linkcode boundedReader}, and when another user can change the file or put a link to
 * a file of root's, or a device, in its place.
 */
export function trustedReader(root: string): (path: string) => string {
  return (path) => {
    const part = changeablePart(root + path);
    if (part !== undefined) throw new Error(`Cannot read ${path}: others can change ${part}`);
    return boundedReader(root)(path);
  };
}

/** A service's file with its drop-ins; `undefined` for an alias, and for what can't be read. */
function readServiceFile(path: string, root: string): string | undefined {
  return attempt(() => {
    if (Deno.lstatSync(root + path).isSymlink) return undefined;
    const dropIns = entryNames(`${root}${path}.d`).filter((name) => name.endsWith(".conf")).sort();
    return [path, ...dropIns.map((name) => `${path}.d/${name}`)].map(boundedReader(root)).join(
      "\n",
    );
  });
}

/** The official agents that are running beside this one, of the system and of this user. */
export async function runningOfficialAgents(
  kind: ManagerKind,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<OfficialAgent[]> {
  const scope = scopeOf(system);
  // A user's agent may run beside one of the system.
  const scopes = scope === "user" ? [scope, "system"] as const : [scope];
  const found = scopes.flatMap((it) => findOfficialAgents(kind, system, it));
  const running = [];
  for (const official of found) {
    const { isActive } = officialManager(official, system);
    const { code } = await system.tools.run(isActive, { signal });
    if (code === 0) running.push(official);
  }
  return running;
}

/**
 * A warning about official agents that are running beside this one; `undefined` when there is none.
 */
export async function officialAgentWarning(
  kind: ManagerKind,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<string | undefined> {
  const running = await runningOfficialAgents(kind, system, signal);
  if (running.length === 0) return undefined;
  const scope = scopeOf(system);
  const names = running.map(({ serviceName }) => serviceName).join(", ");
  const byRoot = running.every((official) => official.scope === scope) ? "" : " as root";
  return `The official agent is running too (${names}): with the same token both report as one node; ` +
    `to replace it, \`uninstall\` this one and run \`install --replace\`${byRoot}`;
}
