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

/** An installed service of the official agent. */
export interface OfficialAgent extends ServiceCommand {
  readonly manager: ManagerKind;
  /** A service of the system, or of one user. */
  readonly scope: "system" | "user";
  /** Without the extension of its file. */
  readonly serviceName: string;
  /** The unit file, script or property list. */
  readonly unitPath: string;
  readonly binary: string;
  readonly args: readonly string[];
}

/** A service of any program. */
export interface FoundService {
  readonly manager: ManagerKind;
  /** A service of the system, or of one user. */
  readonly scope: "system" | "user";
  readonly serviceName: string;
  readonly unitPath: string;
  readonly command: ServiceCommand;
}

/** The official agent that a service runs; `undefined` when it runs another program. */
export function officialAgentIn(found: FoundService): OfficialAgent | undefined {
  const { command, ...location } = found;
  const [binary = "", ...args] = command.words;
  if (!isOfficialBinary(binary, location.serviceName)) return undefined;
  return { ...location, ...command, binary, args };
}

/**
 * Recognizes the official agent by its file name and the installer's default folder.
 *
 * In another folder the file name `agent` is too common, so the service's name decides.
 */
function isOfficialBinary(path: string, serviceName: string): boolean {
  const [name = "", folder = ""] = path.split("/").reverse();
  if (name.startsWith("komari-agent")) return !name.startsWith("komari-agent-deno");
  return name === "agent" && (folder === "komari" || /(^|\.)komari/.test(serviceName));
}

/** The service manager and user whose services are searched. */
export interface ServiceLocation extends Pick<ManagedService, "scope" | "home"> {
  readonly kind: ManagerKind;
  /** Prefix of every path; empty outside of tests. */
  readonly root: string;
}

/** Larger than any service file. */
const MAX_BYTES = 256 * 1024;

/** Finds all services of official agents, by name. */
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
 * Finds the one official agent.
 *
 * @throws {Error} When there is none, or more than one; the message names them.
 */
export function onlyOfficialAgent(location: ServiceLocation): OfficialAgent {
  const found = findOfficialAgents(location);
  const [official, ...others] = found;
  if (official === undefined) {
    const where = location.scope === "system"
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

/** Folders with service files, by precedence. */
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

/** The service's name by its file name; `undefined` for templates and other files. */
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
    // Aliases are symbolic links.
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
    // Unreadable, or removed meanwhile.
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
 * A warning about official agents that are running beside this one; `undefined` when there is none.
 */
export async function officialAgentWarning(
  kind: ManagerKind,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<string | undefined> {
  const scope = scopeOf(system);
  const { root, home } = system;
  // A user's agent may run beside one of the system.
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
  return `The official agent is running too (${names}): with the same token both report as one node; ` +
    `to replace it, \`uninstall\` this one and run \`install --replace\`${byRoot}`;
}
