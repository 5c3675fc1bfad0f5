import { delay } from "@std/async/delay";
import type { ManagedService, ServiceManager } from "../service/managed_service.ts";
import { serviceManager } from "../service/service_manager.ts";
import { runTools, type Tools } from "../service/tool_command.ts";
import type { ReplacedAgent } from "./replaced_agent.ts";

/** What is needed to get hold of a service. */
export interface SwitchParts extends Pick<ManagedService, "home" | "uid"> {
  readonly tools: Tools;
  /** How long it has to run on before it counts as running, and between two looks. */
  readonly pace?: { readonly steadyMs: number; readonly beatMs: number };
}

/** A program that ends at once because of its settings has ended by then. */
const PACE = { steadyMs: 3_000, beatMs: 500 };

/** Stops an official agent and starts it again, by way of its service manager. */
export class OfficialSwitch {
  readonly #manager: ServiceManager;
  readonly #parts: SwitchParts;
  readonly #name: string;

  constructor(official: Omit<ReplacedAgent, "isDone">, parts: SwitchParts) {
    const { scope, serviceName: name } = official;
    this.#manager = serviceManager(official.manager, {
      ...parts,
      scope,
      name,
      logFile: "/dev/null",
    });
    this.#parts = parts;
    this.#name = name;
  }

  /** What is run to do what. */
  get commands(): Pick<ServiceManager, "stop" | "disable" | "enable" | "restart"> {
    return this.#manager;
  }

  /** Whether it runs now. */
  async isActive(signal: AbortSignal): Promise<boolean> {
    const { code } = await this.#parts.tools.run(this.#manager.isActive, { signal });
    return code === 0;
  }

  /**
   * Stops it until the machine starts anew, or somebody starts it.
   *
   * @throws {Error} When it goes on running (`Cannot stop …`).
   */
  async stop(signal: AbortSignal): Promise<void> {
    await runTools(this.#manager.stop, { tools: this.#parts.tools, signal });
    if (await this.isActive(signal)) {
      throw new Error(`Cannot stop ${this.#name}: it goes on running`);
    }
  }

  /** It no longer starts with the machine. */
  async disable(signal: AbortSignal): Promise<void> {
    await runTools(this.#manager.disable, { tools: this.#parts.tools, signal });
  }

  /**
   * Starts it, now and with the machine, and looks whether it goes on running.
   *
   * @throws {Error} When it does not.
   */
  async bringBack(signal: AbortSignal): Promise<void> {
    const { tools, pace = PACE } = this.#parts;
    const { enable, restart } = this.#manager;
    await runTools([...enable({ isUpdated: false }), ...restart], { tools, signal });
    for (let seenMs = 0; seenMs < pace.steadyMs; seenMs += pace.beatMs) {
      await delay(pace.beatMs, { signal });
      if (!await this.isActive(signal)) {
        throw new Error(
          `Cannot bring back ${this.#name}: it was started and does not go on running`,
        );
      }
    }
  }
}
