import { attempt } from "../attempt.ts";
import { runTools, type ToolCommand, type Tools } from "../host/tool_runner.ts";
import { basename } from "../parse/path.ts";
import { readInstallRecord } from "../service/install_record.ts";
import { recordedManager } from "../service/managers.ts";
import { type ManagerKind, servicePaths } from "../service/service_manager.ts";
import type { TargetSystem } from "../service/target_system.ts";
import { type Health, readHealth } from "../state/health_reader.ts";
import type { UpdatedAgent } from "./trial.ts";

/** The agent on this machine that runs a program file: a service that `install` made. */
export class AgentProcess implements UpdatedAgent {
  readonly #folders: readonly string[];
  readonly #service: AgentService | undefined;
  readonly #tools: Tools;

  /**
   * @param options.folders Folders that may hold the health file of an agent that is no service.
   * @param options.service Its service; `undefined` when `install` made none.
   */
  constructor(
    { folders, service, tools }: {
      folders: readonly string[];
      service: AgentService | undefined;
      tools: Tools;
    },
  ) {
    this.#folders = service === undefined ? folders : [service.runtimeFolder];
    this.#service = service;
    this.#tools = tools;
  }

  health(): Health | undefined {
    return readHealth(this.#folders);
  }

  requireRestart({ pid }: Health): void {
    if (this.#service === undefined) {
      throw new Error(
        `Cannot update: the running agent (process ${pid}) was not installed as a service; stop it ` +
          "first, and start it afterwards",
      );
    }
    // Only systemd ends all processes of a service, wherever they come from.
    if (this.#service.manager === "systemd" && cgroupOf("self") === cgroupOf(pid)) {
      throw new Error(
        "Cannot update from within the agent's own service: this process would end with the agent, " +
          "and the new version would not be checked",
      );
    }
  }

  async restart(signal: AbortSignal): Promise<void> {
    await runTools(this.#service?.restart ?? [], { tools: this.#tools, signal });
  }
}

function cgroupOf(pid: number | "self"): string | undefined {
  return attempt(() => Deno.readTextFileSync(`/proc/${pid}/cgroup`));
}

/** The service of an agent, and how to restart it. */
export interface AgentService {
  readonly manager: ManagerKind;
  readonly restart: readonly ToolCommand[];
  /** The version that it is to keep; empty when it may be updated. */
  readonly pinned: string;
  /** The folder of its health file. */
  readonly runtimeFolder: string;
}

/**
 * The service that `install` created for a program and this user; `undefined` when there is none.
 *
 * @param name Its name, unless it has that of the file.
 * @throws {Error} When the installation record can't be read.
 */
export function agentService(
  path: string,
  name: string,
  system: TargetSystem,
): AgentService | undefined {
  const { root } = system;
  for (const service of [name, basename(path)]) {
    const record = readInstallRecord(root + servicePaths(service, system).record);
    if (record === undefined) continue;
    if (attempt(() => Deno.realPathSync(root + record.program)) !== path) continue;
    const { manager, pinned, runtimeFolder } = record;
    const { restart } = recordedManager(record, system);
    return { manager, restart, pinned, runtimeFolder };
  }
  return undefined;
}
