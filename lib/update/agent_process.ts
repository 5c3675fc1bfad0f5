import { delay } from "@std/async/delay";
import { type Health, readHealth } from "../state/health_reader.ts";
import { RESTART_SIGNAL } from "../host/this_program.ts";
import { runTools, type Tools } from "../host/tool_runner.ts";
import { type AgentService, serviceOfUnit } from "./agent_service.ts";
import {
  isAttachedToTerminal,
  isChildOfSystemd,
  runsProgram,
  sharesServiceWith,
  unitOfProcess,
} from "./processes.ts";
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
