import { delay } from "@std/async/delay";
import { attempt } from "../attempt.ts";
import { RESTART_SIGNAL } from "../host/this_program.ts";
import { runTools, type ToolCommand, type Tools } from "../host/tool_runner.ts";
import { basename } from "../parse/path.ts";
import { parseProcessStat } from "../parse/process_stat.ts";
import { readInstallRecord } from "../service/install_record.ts";
import { recordedManager } from "../service/managers.ts";
import { scopeOf, servicePaths } from "../service/service_manager.ts";
import type { TargetSystem } from "../service/target_system.ts";
import { type Health, readHealth } from "../state/health_reader.ts";
import type { UpdatedAgent } from "./trial.ts";

/** An agent ends within a second, or four while results of commands are left; later it is killed. */
const EXIT_TIMEOUT_MS = 10_000;
const POLL_INTERVAL_MS = 100;

/** The agent on this machine that runs a program file. */
export class AgentProcess implements UpdatedAgent {
  readonly #path: string;
  readonly #folders: readonly string[];
  readonly #tools: Tools;
  #service: AgentService | undefined;

  /**
   * @param options.folders Folders that may hold its health file.
   * @param options.service The service that `install` created; without one, a supervisor must
   * restart the agent.
   */
  constructor(
    { path, folders, service, tools }: {
      path: string;
      folders: readonly string[];
      service: AgentService | undefined;
      tools: Tools;
    },
  ) {
    this.#path = path;
    const ofService = service?.runtimeFolder;
    this.#folders = ofService === undefined ? folders : [ofService, ...folders];
    this.#service = service;
    this.#tools = tools;
  }

  health(): Health | undefined {
    return readHealth(this.#folders);
  }

  async requireRestart({ pid }: Health, signal: AbortSignal): Promise<void> {
    if (!runsProgram(pid, this.#path)) {
      throw new Error(
        `Cannot update: the running agent (process ${pid}) does not run ${this.#path}`,
      );
    }
    if (isAttachedToTerminal(pid)) {
      throw new Error(
        `Cannot update while the agent is running at a terminal (process ${pid}), which would not ` +
          "restart it; stop it first",
      );
    }
    if (sharesServiceWith(pid)) {
      throw new Error(
        "Cannot update from within the agent's own service: this process would end with the agent, " +
          "and the new version would not be checked",
      );
    }
    if (this.#service !== undefined) return;
    const found = await this.#findService(pid, signal);
    this.#service = found?.service;
    if (found === undefined && isChildOfSystemd(pid)) {
      throw new Error(
        `Cannot update: the agent (process ${pid}) belongs to no service that would restart it; stop ` +
          "it first, or install it as a service",
      );
    }
  }

  async restart(signal: AbortSignal): Promise<boolean> {
    const pid = this.#runningPid();
    if (pid !== undefined && !runsProgram(pid, this.#path)) {
      throw new Error(`Cannot restart process ${pid}: it does not run ${this.#path}`);
    }
    if (pid !== undefined) this.#service ??= (await this.#findService(pid, signal))?.service;
    if (this.#service !== undefined) {
      await runTools(this.#service.restart, { tools: this.#tools, signal });
    } else if (pid !== undefined) {
      await this.#end(pid, signal);
    } else return false;
    return true;
  }

  async #findService(
    pid: number,
    signal: AbortSignal,
  ): Promise<{ service?: AgentService } | undefined> {
    const unit = unitOfProcess(pid);
    return unit && await serviceOfUnit(unit, pid, { tools: this.#tools, signal });
  }

  async #end(pid: number, signal: AbortSignal): Promise<void> {
    Deno.kill(pid, RESTART_SIGNAL);
    for (let waitedMs = 0; this.#runningPid() === pid; waitedMs += POLL_INTERVAL_MS) {
      if (waitedMs === EXIT_TIMEOUT_MS) Deno.kill(pid, "SIGKILL");
      if (waitedMs > 2 * EXIT_TIMEOUT_MS) throw new Error(`Cannot stop process ${pid}`);
      await delay(POLL_INTERVAL_MS, { signal });
    }
  }

  #runningPid(): number | undefined {
    const health = this.health();
    return health?.isRunning ? health.pid : undefined;
  }
}

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
async function serviceOfUnit(
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

/** A systemd service. */
export interface SystemdUnit {
  /** With its extension, such as `agent.service`. */
  readonly name: string;
  readonly scope: "system" | "user";
}

/**
 * The service of a process, by `/proc/PID/cgroup`; `undefined` when it belongs to none.
 *
 * A user's manager is a system service, and contains that user's services.
 */
export function systemdUnitOf(text: string): SystemdUnit | undefined {
  for (const line of text.split("\n")) {
    const [, path = ""] = /^(?:0::|\d+:name=systemd:)(\/.*)$/.exec(line) ?? [];
    const services = path.split("/").filter((part) => /^[\w@:.\\-]+\.service$/.test(part));
    const name = services.at(-1);
    if (name === undefined || isUserManager(name)) continue;
    return { name, scope: services.some(isUserManager) ? "user" : "system" };
  }
  return undefined;
}

function isUserManager(name: string): boolean {
  return /^user@\d+\.service$/.test(name);
}

/** Appended by the kernel to the path of a replaced executable. */
const DELETED = " (deleted)";

/**
 * Whether a process runs a program file, compiled or as a script among its arguments. Always true
 * without `/proc`.
 *
 * The pid comes from a file that the agent writes, so it is checked before the process is
 * signalled.
 */
export function runsProgram(pid: number, path: string): boolean {
  if (Deno.build.os !== "linux") return true;
  const program = attempt(() => Deno.readLinkSync(`/proc/${pid}/exe`));
  if (program === path || program === path + DELETED) return true;
  const cwd = attempt(() => Deno.readLinkSync(`/proc/${pid}/cwd`));
  if (program === undefined || cwd === undefined) return false;
  const words = readProcFile(pid, "cmdline").split("\0");
  return words.filter((it) => it.includes("/") && !it.startsWith("-")).some((word) => {
    const full = word.startsWith("/") ? word : `${cwd}/${word}`;
    return attempt(() => Deno.realPathSync(full)) === path;
  });
}

/** A file of a process below `/proc`; empty if it can't be read. */
function readProcFile(pid: number | "self", name: string): string {
  return attempt(() => Deno.readTextFileSync(`/proc/${pid}/${name}`)) ?? "";
}

/** Whether a process reads from a terminal, so a user started it, not a service. */
function isAttachedToTerminal(pid: number): boolean {
  const input = attempt(() => Deno.readLinkSync(`/proc/${pid}/fd/0`)) ?? "";
  return /^\/dev\/(?:pts\/|tty|console)/.test(input);
}

/** Whether systemd started a process, or adopted it as an orphan. */
function isChildOfSystemd(pid: number): boolean {
  const parent = attempt(() => parseProcessStat(readProcFile(pid, "stat")).parentPid);
  return parent !== undefined && readProcFile(parent, "comm").trim() === "systemd";
}

/**
 * The systemd service that started a process directly; `undefined` when there is none. Only systemd
 * knows whether it is the main process.
 */
function unitOfProcess(pid: number): SystemdUnit | undefined {
  return isChildOfSystemd(pid) ? systemdUnitOf(readProcFile(pid, "cgroup")) : undefined;
}

/** Whether this process ends when systemd restarts the service of another one. */
function sharesServiceWith(pid: number): boolean {
  if (unitOfProcess(pid) === undefined) return false;
  return readProcFile("self", "cgroup") === readProcFile(pid, "cgroup");
}
