import { attempt } from "../attempt.ts";
import { pickVariables } from "../config/environment.ts";
import { type ToolCommand, ToolRunner, type Tools } from "../host/tool_runner.ts";
import { basename } from "../parse/path.ts";
import { readInstallRecord } from "../service/install_record.ts";
import { recordedManager } from "../service/managers.ts";
import { servicePaths } from "../service/service_paths.ts";
import { unitOfProcess } from "./processes.ts";

/** The service of an agent, and how to restart it. */
export interface AgentService {
  readonly restart: readonly ToolCommand[];
  readonly tools: Tools;
  /** The version that it is to keep; empty or absent when it may be updated. */
  readonly pinned?: string;
  /** The folder of its health file, if known. */
  readonly runtimeFolder?: string;
}

/** Variables that `systemctl` and other tools need. */
const INHERITED_VARIABLES = ["PATH", "HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];

/**
 * Possible service names of a program: the one given, and the file's name, which `install` uses.
 */
export function serviceNames(path: string, given: string): string[] {
  return [...new Set([given, basename(path)])];
}

/**
 * The service that `install` created for a program and this user; `undefined` when there is none.
 *
 * @param names Its possible names.
 * @throws {Error} When the installation record can't be read.
 */
export function agentService(path: string, names: readonly string[]): AgentService | undefined {
  const { HOME: home = "", XDG_RUNTIME_DIR: userRuntimeDir = "" } = Deno.env.toObject();
  const owner = { uid: Deno.uid() ?? 0, home, userRuntimeDir, os: Deno.build.os };
  for (const name of names) {
    const record = readInstallRecord(servicePaths(name, owner).record);
    if (record === undefined) continue;
    if (attempt(() => Deno.realPathSync(record.program)) !== path) continue;
    const { restart } = recordedManager(record, owner);
    const { pinned, runtimeFolder } = record;
    return { restart, tools: new ToolRunner(serviceVariables()), pinned, runtimeFolder };
  }
  return undefined;
}

/**
 * The systemd service whose main process this is; `undefined` when there is none, and without
 * `service` when this user may not restart it.
 *
 * Its restart resets the failure counter first: systemd stops restarting a service that exits too
 * often.
 */
export async function serviceOfProcess(
  pid: number,
  { signal }: { signal: AbortSignal },
): Promise<{ service?: AgentService } | undefined> {
  const unit = unitOfProcess(pid);
  if (unit === undefined) return undefined;
  const tools = new ToolRunner(serviceVariables());
  const scope = unit.scope === "user" ? ["--user"] : [];
  const show = ["show", "--property=MainPID", unit.name];
  const { output } = await tools.run({ tool: "systemctl", args: [...scope, ...show] }, { signal });
  // An orphan of a service stays in its cgroup too.
  if (output.trim() !== `MainPID=${pid}`) return undefined;
  if (unit.scope !== (Deno.uid() === 0 ? "system" : "user")) return {};
  const systemctl = (verb: string, mayFail: boolean): ToolCommand => {
    return { tool: "systemctl", args: ["--no-ask-password", ...scope, verb, unit.name], mayFail };
  };
  const restart = [systemctl("reset-failed", true), systemctl("restart", false)];
  return { service: { restart, tools } };
}

function serviceVariables(): Record<string, string> {
  return pickVariables(Deno.env.toObject(), INHERITED_VARIABLES);
}
