import { parseLaunchdCommand } from "../service/launchd_command.ts";
import type { ManagedService, ManagerKind } from "../service/managed_service.ts";
import { type OfficialAgent, officialAgentIn } from "../service/official_agent.ts";
import { parseOpenrcCommand, parseProcdCommand } from "../service/script_command.ts";
import type { ServiceCommand } from "../service/service_command.ts";
import { parseSystemdCommand } from "../service/systemd_command.ts";

/** Where services are looked for. */
export interface ServicePlace extends Pick<ManagedService, "scope" | "home"> {
  readonly kind: ManagerKind;
  /** Put before every path; empty but in a root that was made to be thrown away. */
  readonly root: string;
}

/** Larger than any file that describes a service. */
const MAX_BYTES = 256 * 1024;

/** The services of official agents in this manager's hands, by their names. */
export function findOfficialAgents(place: ServicePlace): OfficialAgent[] {
  const found = new Map<string, OfficialAgent>();
  for (const folder of foldersOf(place)) {
    for (const name of namesIn(place.root + folder).sort()) {
      const serviceName = serviceNameOf(name, place.kind);
      if (serviceName === undefined || found.has(serviceName)) continue;
      const unitPath = `${folder}/${name}`;
      const command = commandOf(unitPath, place);
      if (command === undefined) continue;
      const { kind: manager, scope } = place;
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
export function onlyOfficialAgent(place: ServicePlace): OfficialAgent {
  const found = findOfficialAgents(place);
  const [official, ...others] = found;
  if (official === undefined) {
    const where = place.scope === "system"
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
export function readTextBelow(root: string): (path: string) => string {
  return (path) => {
    const { size, isFile } = Deno.statSync(root + path);
    if (!isFile || size > MAX_BYTES) throw new Error(`Cannot read ${path}: it is no small file`);
    return Deno.readTextFileSync(root + path);
  };
}

/** Those that win over others of the same name come first. */
function foldersOf({ kind, scope, home }: ServicePlace): string[] {
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
function serviceNameOf(name: string, kind: ManagerKind): string | undefined {
  const ending = kind === "systemd" ? ".service" : kind === "launchd" ? ".plist" : "";
  const isService = name.endsWith(ending) && !name.startsWith(".") && !name.endsWith("@.service");
  return isService ? name.slice(0, name.length - ending.length) : undefined;
}

function commandOf(path: string, { kind, root }: ServicePlace): ServiceCommand | undefined {
  const read = readTextBelow(root);
  try {
    // A second name for a service is a link.
    if (Deno.lstatSync(root + path).isSymlink) return undefined;
    const text = read(path);
    switch (kind) {
      case "systemd":
        return parseSystemdCommand([text, ...dropInsOf(path, root)].join("\n"), read);
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

function dropInsOf(path: string, root: string): string[] {
  const names = namesIn(`${root}${path}.d`).filter((name) => name.endsWith(".conf")).sort();
  return names.map((name) => readTextBelow(root)(`${path}.d/${name}`));
}

function namesIn(folder: string): string[] {
  try {
    return Array.from(Deno.readDirSync(folder), ({ name }) => name);
  } catch {
    return [];
  }
}
