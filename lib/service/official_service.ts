import { delay } from "@std/async/delay";
import { runTools, type ToolCommand, type Tools } from "../host/tool_runner.ts";
import { serviceManager } from "./managers.ts";
import type { OfficialRecord } from "./official_record.ts";
import type { ManagedService } from "./service_manager.ts";

/** What is needed to get hold of a service. */
export interface OfficialServiceOptions extends Pick<ManagedService, "home" | "uid"> {
  readonly tools: Tools;
  /** How long it has to run on before it counts as running, and between two looks. */
  readonly timing?: { readonly settleMs: number; readonly pollIntervalMs: number };
}

/** A program that ends at once because of its settings has ended by then. */
const DEFAULT_TIMING = { settleMs: 3_000, pollIntervalMs: 500 };

/** Stops an official agent and starts it again, by way of its service manager. */
export class OfficialService {
  /** What is run to stop it until the machine starts anew, or somebody starts it. */
  readonly stopCommands: readonly ToolCommand[];
  /** What is run so that it no longer starts with the machine. */
  readonly disableCommands: readonly ToolCommand[];
  /** What is run to start it, now and with the machine. */
  readonly startCommands: readonly ToolCommand[];
  readonly #isActive: ToolCommand;
  readonly #parts: OfficialServiceOptions;
  readonly #name: string;

  constructor(official: Omit<OfficialRecord, "isDone">, parts: OfficialServiceOptions) {
    const { scope, serviceName: name, manager: kind } = official;
    const manager = serviceManager(kind, { ...parts, scope, name, logFile: "/dev/null" });
    // Nothing about updates: what has such a name there is somebody else's.
    this.stopCommands = manager.stop;
    this.disableCommands = manager.disable;
    this.startCommands = [...manager.enable({ isUpdated: false }), ...manager.restart];
    this.#isActive = manager.isActive;
    this.#parts = parts;
    this.#name = name;
  }

  /** @throws {Error} When it goes on running (`Cannot stop …`). */
  async stop(signal: AbortSignal): Promise<void> {
    await this.#run(this.stopCommands, signal);
    if (await this.#runs(signal)) {
      throw new Error(`Cannot stop ${this.#name}: it goes on running`);
    }
  }

  /** It no longer starts with the machine. */
  async disable(signal: AbortSignal): Promise<void> {
    await this.#run(this.disableCommands, signal);
  }

  /**
   * Starts it, now and with the machine, and looks whether it goes on running.
   *
   * @throws {Error} When it does not.
   */
  async start(signal: AbortSignal): Promise<void> {
    const { settleMs, pollIntervalMs } = this.#parts.timing ?? DEFAULT_TIMING;
    await this.#run(this.startCommands, signal);
    for (let seenMs = 0; seenMs < settleMs; seenMs += pollIntervalMs) {
      await delay(pollIntervalMs, { signal });
      if (!await this.#runs(signal)) {
        throw new Error(
          `Cannot bring back ${this.#name}: it was started and does not go on running`,
        );
      }
    }
  }

  async #run(commands: readonly ToolCommand[], signal: AbortSignal): Promise<void> {
    await runTools(commands, { tools: this.#parts.tools, signal });
  }

  async #runs(signal: AbortSignal): Promise<boolean> {
    const { code } = await this.#parts.tools.run(this.#isActive, { signal });
    return code === 0;
  }
}
