import type { ServiceCommand } from "./service_command.ts";
import type { ManagerKind } from "./managed_service.ts";

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
  const { command, ...place } = found;
  const [binary = "", ...args] = command.words;
  if (!isOfficialBinary(binary, place.serviceName)) return undefined;
  return { ...place, ...command, binary, args };
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
