import { delay } from "@std/async/delay";
import { runTools, type ToolCommand } from "../host/tool_runner.ts";
import { serviceManager } from "./managers.ts";
import type { OfficialRecord } from "./official_record.ts";
import type { TargetSystem } from "./target_system.ts";

/** A program with invalid settings exits within this time. */
const SETTLE_MS = 3_000;
const POLL_INTERVAL_MS = 500;

/** Time to undo what was interrupted: a service manager waits 90 s for a service to stop. */
export const UNDO_TIMEOUT_MS = 90_000;

/** Stops and starts an official agent through its service manager. */
export class OfficialService {
  /** Stop it until the next boot or start. */
  readonly stopCommands: readonly ToolCommand[];
  /** Keep it from starting at boot. */
  readonly disableCommands: readonly ToolCommand[];
  /** Start it, now and at boot. */
  readonly startCommands: readonly ToolCommand[];
  readonly #isActive: ToolCommand;
  readonly #tools: TargetSystem["tools"];
  readonly #name: string;

  constructor(
    official: Omit<OfficialRecord, "isDone">,
    { tools, home, uid }: Pick<TargetSystem, "tools" | "home" | "uid">,
  ) {
    const { scope, serviceName: name, manager: kind } = official;
    const manager = serviceManager(kind, { name, scope, logFile: "/dev/null", home, uid });
    // No update job: one of that name would belong to another program.
    this.stopCommands = manager.stop;
    this.disableCommands = manager.disable;
    this.startCommands = [...manager.enable, ...manager.restart];
    this.#isActive = manager.isActive;
    this.#tools = tools;
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
    await this.#run(this.startCommands, signal);
    for (let seenMs = 0; seenMs < SETTLE_MS; seenMs += POLL_INTERVAL_MS) {
      await delay(POLL_INTERVAL_MS, { signal });
      if (!await this.#runs(signal)) {
        throw new Error(`Cannot start ${this.#name}: it exited within ${SETTLE_MS / 1000} s`);
      }
    }
  }

  async #run(commands: readonly ToolCommand[], signal: AbortSignal): Promise<void> {
    await runTools(commands, { tools: this.#tools, signal });
  }

  async #runs(signal: AbortSignal): Promise<boolean> {
    const { code } = await this.#tools.run(this.#isActive, { signal });
    return code === 0;
  }
}
