import { delay } from "@std/async/delay";
import { runTools, type ToolCommand, type Tools } from "../host/tool_runner.ts";
import { serviceManager } from "./managers.ts";
import type { OfficialRecord } from "./official_record.ts";
import type { ManagedService } from "./service_manager.ts";

/** Options of {@linkcode OfficialService}. */
export interface OfficialServiceOptions extends Pick<ManagedService, "home" | "uid"> {
  readonly tools: Tools;
  /** How long the service must keep running after a start, and the interval of checks. */
  readonly timing?: { readonly settleMs: number; readonly pollIntervalMs: number };
}

/** A program with invalid settings exits within this time. */
const DEFAULT_TIMING = { settleMs: 3_000, pollIntervalMs: 500 };

/** Stops and starts an official agent through its service manager. */
export class OfficialService {
  /** Stop it until the next boot or start. */
  readonly stopCommands: readonly ToolCommand[];
  /** Keep it from starting at boot. */
  readonly disableCommands: readonly ToolCommand[];
  /** Start it, now and at boot. */
  readonly startCommands: readonly ToolCommand[];
  readonly #isActive: ToolCommand;
  readonly #parts: OfficialServiceOptions;
  readonly #name: string;

  constructor(official: Omit<OfficialRecord, "isDone">, parts: OfficialServiceOptions) {
    const { scope, serviceName: name, manager: kind } = official;
    const manager = serviceManager(kind, { ...parts, scope, name, logFile: "/dev/null" });
    // No update job: one of that name would belong to another program.
    this.stopCommands = manager.stop;
    this.disableCommands = manager.disable;
    this.startCommands = [...manager.enable({ isUpdated: false }), ...manager.restart];
    this.#isActive = manager.isActive;
    this.#parts = parts;
    this.#name = name;
  }

  /** @throws {Error} When it is still running (`Cannot stop …`). */
  async stop(signal: AbortSignal): Promise<void> {
    await this.#run(this.stopCommands, signal);
    if (await this.#runs(signal)) {
      throw new Error(`Cannot stop ${this.#name}: it is still running`);
    }
  }

  /** Keeps it from starting at boot. */
  async disable(signal: AbortSignal): Promise<void> {
    await this.#run(this.disableCommands, signal);
  }

  /**
   * Starts it, now and at boot, and checks that it keeps running.
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
          `Cannot start ${this.#name}: it exited within ${settleMs / 1000} s`,
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
