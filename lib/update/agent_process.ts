import { delay } from "@std/async/delay";
import { type Health, readHealth } from "../host/health_file.ts";
import { RESTART_SIGNAL } from "../host/this_program.ts";
import { runTools } from "../host/tool_runner.ts";
import { type AgentService, serviceOfProcess } from "./agent_service.ts";
import {
  isAttachedToTerminal,
  isChildOfSystemd,
  runsProgram,
  sharesServiceWith,
} from "./processes.ts";
import type { RestartableAgent } from "./updater.ts";

/** An agent tells of its end, which takes a second at most, before it is ended by force. */
const EXIT_TIMEOUT_MS = 10_000;
const POLL_INTERVAL_MS = 100;

/** The agent on this machine that runs a program's file. */
export class AgentProcess implements RestartableAgent {
  readonly #path: string;
  readonly #folders: readonly string[];
  #service: AgentService | undefined;

  /**
   * `folders` are where it says how it is, `service` the one that this program has made. Without
   * any, whoever has started it starts it again.
   */
  constructor(
    { path, folders, service }: {
      path: string;
      folders: readonly string[];
      service: AgentService | undefined;
    },
  ) {
    this.#path = path;
    const ofService = service?.runtimeFolder;
    this.#folders = ofService === undefined ? folders : [ofService, ...folders];
    this.#service = service;
  }

  health(): Health | undefined {
    return readHealth(this.#folders);
  }

  async requireRestart({ pid }: Health, signal: AbortSignal): Promise<void> {
    if (!await runsProgram(pid, this.#path)) {
      throw new Error(
        `Cannot update: the agent that runs (process ${pid}) does not run ${this.#path}`,
      );
    }
    if (isAttachedToTerminal(pid)) {
      throw new Error(
        `Cannot update while the agent runs at a terminal (process ${pid}): nobody would start it ` +
          "again; end it first",
      );
    }
    if (sharesServiceWith(pid)) {
      throw new Error(
        "Cannot update from within the agent's own service: this process would end with the agent, " +
          "and nobody would look after the new version",
      );
    }
    if (this.#service !== undefined) return;
    const found = await serviceOfProcess(pid, { signal });
    this.#service = found?.service;
    if (found === undefined && isChildOfSystemd(pid)) {
      throw new Error(
        `Cannot update: the agent (process ${pid}) belongs to no service, and nobody would start ` +
          "it again; end it first, or make it a service",
      );
    }
  }

  async restart(signal: AbortSignal): Promise<void> {
    const pid = this.#runningPid();
    if (pid !== undefined && !await runsProgram(pid, this.#path)) {
      throw new Error(`Cannot restart process ${pid}: it is none of ${this.#path}`);
    }
    if (pid !== undefined) this.#service ??= (await serviceOfProcess(pid, { signal }))?.service;
    if (this.#service !== undefined) {
      const { restart, tools } = this.#service;
      await runTools(restart, { tools, signal });
    } else if (pid !== undefined) {
      await this.#end(pid, signal);
    }
  }

  async #end(pid: number, signal: AbortSignal): Promise<void> {
    Deno.kill(pid, RESTART_SIGNAL);
    for (let waitedMs = 0; this.#runningPid() === pid; waitedMs += POLL_INTERVAL_MS) {
      if (waitedMs === EXIT_TIMEOUT_MS) Deno.kill(pid, "SIGKILL");
      if (waitedMs > 2 * EXIT_TIMEOUT_MS) throw new Error(`Cannot end process ${pid}`);
      await delay(POLL_INTERVAL_MS, { signal });
    }
  }

  #runningPid(): number | undefined {
    const health = this.health();
    return health?.isRunning ? health.pid : undefined;
  }
}
