import { attempt } from "../attempt.ts";
import type { ToolCommand, Tools } from "../host/tool_runner.ts";
import { basename } from "../parse/path.ts";
import { readInstallRecord } from "../service/install_record.ts";
import { recordedManager } from "../service/managers.ts";
import { scopeOf, servicePaths } from "../service/service_manager.ts";
import type { TargetSystem } from "../service/target_system.ts";
import type { SystemdUnit } from "./processes.ts";

/** The service of an agent, and how to restart it. */
export interface AgentService {
  readonly restart: readonly ToolCommand[];
  /** The version that it is to keep; empty or absent when it may be updated. */
  readonly pinned?: string;
  /** The folder of its health file, if known. */
  readonly runtimeFolder?: string;
}

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
export function agentService(
  path: string,
  names: readonly string[],
  system: TargetSystem,
): AgentService | undefined {
  const { root } = system;
  for (const name of names) {
    const record = readInstallRecord(root + servicePaths(name, system).record);
    if (record === undefined) continue;
    if (attempt(() => Deno.realPathSync(root + record.program)) !== path) continue;
    const { pinned, runtimeFolder } = record;
    return { restart: recordedManager(record, system).restart, pinned, runtimeFolder };
  }
  return undefined;
}

/**
 * The service of a unit whose main process this is; `undefined` when it is not, and without `service`
 * when this user may not restart it.
 *
 * Its restart resets the failure counter first: systemd stops restarting a service that exits too
 * often.
 */
export async function serviceOfUnit(
  unit: SystemdUnit,
  pid: number,
  { tools, signal }: { tools: Tools; signal: AbortSignal },
): Promise<{ service?: AgentService } | undefined> {
  const scope = unit.scope === "user" ? ["--user"] : [];
  const show = ["show", "--property=MainPID", unit.name];
  const { output } = await tools.run({ tool: "systemctl", args: [...scope, ...show] }, { signal });
  // An orphan of a service stays in its cgroup too.
  if (output.trim() !== `MainPID=${pid}`) return undefined;
  if (unit.scope !== scopeOf({ uid: Deno.uid() ?? 0 })) return {};
  const systemctl = (verb: string, mayFail: boolean): ToolCommand => {
    return { tool: "systemctl", args: ["--no-ask-password", ...scope, verb, unit.name], mayFail };
  };
  return { service: { restart: [systemctl("reset-failed", true), systemctl("restart", false)] } };
}
