import { pickVariables } from "../config/paths.ts";
import { type ToolCommand, ToolRunner, type Tools } from "../host/tool_runner.ts";
import { basename } from "../parse/path.ts";
import { readInstallRecord } from "../service/install_record.ts";
import { serviceManager } from "../service/managers.ts";
import { servicePaths } from "../service/service_paths.ts";
import { unitOfProcess } from "./processes.ts";

/** How a service is restarted. */
export interface AgentService {
  readonly restart: readonly ToolCommand[];
  readonly tools: Tools;
  /** Where the agent says how it is, as far as that is known. */
  readonly runtimeFolder?: string;
}

/** What the tools of service managers need to find theirs. */
const INHERITED_VARIABLES = ["PATH", "HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];

/** What the service of a program may be called: as was said, or like the file, as `install` has it. */
export function serviceNames(path: string, printed: string): string[] {
  return [...new Set([printed, basename(path)])];
}

/**
 * The service that runs a program, where `install` has made it for this user; `undefined` where
 * nobody knows of one.
 *
 * @param names What it may be called.
 * @throws {Error} When the record of the installation can't be read.
 */
export function agentService(path: string, names: readonly string[]): AgentService | undefined {
  const { HOME: home = "", XDG_RUNTIME_DIR: userRuntimeDir = "" } = Deno.env.toObject();
  const uid = Deno.uid() ?? 0;
  const owner = {
    scope: uid === 0 ? "system" : "user",
    home,
    userRuntimeDir,
    os: Deno.build.os,
  } as const;
  for (const name of names) {
    const record = readInstallRecord(servicePaths(name, owner).record);
    if (record === undefined || !isSameFile(record.program, path)) continue;
    const { manager, service, scope, logFile, runtimeFolder } = record;
    const { restart } = serviceManager(manager, { name: service, scope, logFile, home, uid });
    return { restart, tools: new ToolRunner({ env: serviceVariables() }), runtimeFolder };
  }
  return undefined;
}

/** A service of systemd's that somebody else has made. */
export interface ForeignService {
  /** How it is restarted; `undefined` where this user may not. */
  readonly service: AgentService | undefined;
}

/**
 * The service that a process is the main one of; `undefined` when there is none.
 *
 * A service that ends again and again is given up sooner or later, and starts anew only by a word.
 */
export async function serviceOfProcess(
  pid: number,
  { signal }: { signal: AbortSignal },
): Promise<ForeignService | undefined> {
  const unit = unitOfProcess(pid);
  if (unit === undefined) return undefined;
  const tools = new ToolRunner({ env: serviceVariables() });
  const scope = unit.scope === "user" ? ["--user"] : [];
  const show = ["show", "--property=MainPID", unit.name];
  const { output } = await tools.run({ tool: "systemctl", args: [...scope, ...show] }, { signal });
  // What a service has left behind is taken on by systemd, and is in its group still.
  if (output.trim() !== `MainPID=${pid}`) return undefined;
  if (unit.scope !== (Deno.uid() === 0 ? "system" : "user")) return { service: undefined };
  const systemctl = (verb: string, mayFail: boolean): ToolCommand => {
    return { tool: "systemctl", args: ["--no-ask-password", ...scope, verb, unit.name], mayFail };
  };
  const restart = [systemctl("reset-failed", true), systemctl("restart", false)];
  return { service: { restart, tools } };
}

function isSameFile(one: string, other: string): boolean {
  try {
    return Deno.realPathSync(one) === other;
  } catch {
    return false;
  }
}

function serviceVariables(): Record<string, string> {
  return pickVariables(Deno.env.toObject(), INHERITED_VARIABLES);
}
