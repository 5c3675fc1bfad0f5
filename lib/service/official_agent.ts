import { serviceManager } from "./managers.ts";
import {
  parseLaunchdCommand,
  parseOpenrcCommand,
  parseProcdCommand,
  parseSystemdCommand,
  type ServiceCommand,
} from "./official_commands.ts";
import type { ManagedService, ManagerKind } from "./service_manager.ts";
import { scopeOf, type TargetSystem } from "./target_system.ts";

/** A service of the official agent. */
export interface OfficialAgent extends ServiceCommand {
  readonly manager: ManagerKind;
  /** A service of the machine's, or of one user's. */
  readonly scope: "system" | "user";
  /** Without the ending that its file has. */
  readonly serviceName: string;
  /** The file that describes the service. */
  readonly unitPath: string;
  readonly binary: string;
  readonly args: readonly string[];
}

/** A service, and where it was found. */
export interface FoundService {
  readonly manager: ManagerKind;
  /** A service of the machine's, or of one user's. */
  readonly scope: "system" | "user";
  readonly serviceName: string;
  readonly unitPath: string;
  readonly command: ServiceCommand;
}

/** The official agent in a service; `undefined` when it is any other program's. */
export function officialAgentIn(found: FoundService): OfficialAgent | undefined {
  const { command, ...location } = found;
  const [binary = "", ...args] = command.words;
  if (!isOfficialBinary(binary, location.serviceName)) return undefined;
  return { ...location, ...command, binary, args };
}

/**
 * Whether a program is the official agent, by its name and the folder where its installer puts it;
 * in another folder its name says nothing, and the service's name has to.
 */
function isOfficialBinary(path: string, serviceName: string): boolean {
  const [name = "", folder = ""] = path.split("/").reverse();
  if (name.startsWith("komari-agent")) return !name.startsWith("komari-agent-deno");
  return name === "agent" && (folder === "komari" || /(^|\.)komari/.test(serviceName));
}

/** Where services are looked for. */
export interface ServiceLocation extends Pick<ManagedService, "scope" | "home"> {
  readonly kind: ManagerKind;
  /** Put before every path; empty but in a root that was made to be thrown away. */
  readonly root: string;
}

/** Larger than any file that describes a service. */
const MAX_BYTES = 256 * 1024;

/** The services of official agents in this manager's hands, by their names. */
export function findOfficialAgents(location: ServiceLocation): OfficialAgent[] {
  const found = new Map<string, OfficialAgent>();
  for (const folder of serviceFolders(location)) {
    for (const name of entryNames(location.root + folder).sort()) {
      const serviceName = serviceNameFromFile(name, location.kind);
      if (serviceName === undefined || found.has(serviceName)) continue;
      const unitPath = `${folder}/${name}`;
      const command = readServiceCommand(unitPath, location);
      if (command === undefined) continue;
      const { kind: manager, scope } = location;
      const agent = officialAgentIn({ manager, scope, serviceName, unitPath, command });
      if (agent !== undefined) found.set(serviceName, agent);
    }
  }
  return [...found.values()];
}

/**
 * The one official agent in this manager's hands.
 *
 * @throws {Error} When there is none, or more than one; the message names them.
 */
export function onlyOfficialAgent(location: ServiceLocation): OfficialAgent {
  const found = findOfficialAgents(location);
  const [official, ...others] = found;
  if (official === undefined) {
    const where = location.scope === "system"
      ? "no service of this machine starts one"
      : "no service of this user starts one, and those of the machine are root's";
    throw new Error(`Cannot find an official agent: ${where}`);
  }
  if (others.length > 0) {
    const names = found.map(({ serviceName, unitPath }) => `${serviceName} (${unitPath})`);
    throw new Error(
      `Cannot choose between ${found.length} official agents: ${names.join(", ")}; ` +
        "remove the services that are not meant",
    );
  }
  return official;
}

/** Reads a text within a root. @throws {Error} When there is none, or one that is too large. */
export function boundedReader(root: string): (path: string) => string {
  return (path) => {
    const { size, isFile } = Deno.statSync(root + path);
    if (!isFile || size > MAX_BYTES) throw new Error(`Cannot read ${path}: it is no small file`);
    return Deno.readTextFileSync(root + path);
  };
}

/** Those that win over others of the same name come first. */
function serviceFolders({ kind, scope, home }: ServiceLocation): string[] {
  switch (kind) {
    case "systemd":
      return scope === "user"
        ? [`${home}/.config/systemd/user`]
        : ["/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"];
    case "openrc":
    case "procd":
      return ["/etc/init.d"];
    case "launchd":
      return [scope === "user" ? `${home}/Library/LaunchAgents` : "/Library/LaunchDaemons"];
  }
}

/** The name by which a manager knows what stands in a file; templates are no services. */
function serviceNameFromFile(name: string, kind: ManagerKind): string | undefined {
  const ending = kind === "systemd" ? ".service" : kind === "launchd" ? ".plist" : "";
  const isService = name.endsWith(ending) && !name.startsWith(".") && !name.endsWith("@.service");
  return isService ? name.slice(0, name.length - ending.length) : undefined;
}

function readServiceCommand(
  path: string,
  { kind, root }: ServiceLocation,
): ServiceCommand | undefined {
  const read = boundedReader(root);
  try {
    // A second name for a service is a link.
    if (Deno.lstatSync(root + path).isSymlink) return undefined;
    const text = read(path);
    switch (kind) {
      case "systemd":
        return parseSystemdCommand([text, ...readDropIns(path, root)].join("\n"), read);
      case "openrc":
        return parseOpenrcCommand(text);
      case "procd":
        return parseProcdCommand(text);
      case "launchd":
        return parseLaunchdCommand(text);
    }
  } catch {
    // Not for us, or gone by now.
    return undefined;
  }
}

function readDropIns(path: string, root: string): string[] {
  const names = entryNames(`${root}${path}.d`).filter((name) => name.endsWith(".conf")).sort();
  return names.map((name) => boundedReader(root)(`${path}.d/${name}`));
}

function entryNames(folder: string): string[] {
  try {
    return Array.from(Deno.readDirSync(folder), ({ name }) => name);
  } catch {
    return [];
  }
}

/**
 * What is to be said of official agents that run beside this one, in a line; `undefined` when none
 * does.
 */
export async function officialAgentWarning(
  kind: ManagerKind,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<string | undefined> {
  const scope = scopeOf(system);
  const { root, home } = system;
  // The machine's run for a user as well.
  const scopes = scope === "user" ? [scope, "system"] as const : [scope];
  const found = scopes.flatMap((it) => findOfficialAgents({ kind, root, home, scope: it }));
  const running = [];
  for (const official of found) {
    const { serviceName: name } = official;
    const location = { ...system, name, scope: official.scope, logFile: "/dev/null" };
    const { code } = await system.tools.run(serviceManager(kind, location).isActive, { signal });
    if (code === 0) running.push(official);
  }
  if (running.length === 0) return undefined;
  const names = running.map(({ serviceName }) => serviceName).join(", ");
  const byRoot = running.every((official) => official.scope === scope) ? "" : " as root";
  return `The official agent runs here too (${names}): both report, as the same node if the token ` +
    `is the same; \`uninstall\` this one, and \`install --replace\`${byRoot} takes its place`;
}
