import type { Programs } from "../host/programs.ts";
import { settlesWithin } from "../net/timeout.ts";
import type { Socket } from "../net/websocket.ts";
import type { CommandResult } from "../types.ts";
import { type CommandRequest, Commands } from "./commands.ts";
import { Terminals } from "./terminals.ts";

/** What remote control works with; all from `timers` on is for tests. */
export interface RemoteControlOptions {
  /** `undefined` when remote control is off: every request is answered with a refusal. */
  readonly programs: Programs | undefined;
  readonly execTimeoutMs: number;
  readonly terminalIdleMs: number;
  /** One try to bring a result to the panel; rejects when it was not accepted. */
  sendResult(result: CommandResult, signal: AbortSignal): Promise<void>;
  /** Opens the connection that the panel waits for. */
  dialTerminal(requestId: string, signal: AbortSignal): Promise<Socket>;
  readonly timers?: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  /** Milliseconds on a clock that only runs forward. */
  readonly monotonicMs?: () => number;
  /** The date of a result. */
  readonly wallClock?: () => Date;
  /** 0 to below 1. */
  readonly random?: () => number;
}

/** All has to be over when the agent ends. */
const CLOSE_MS = 450;

/**
 * Runs what the panel wants run, or refuses it.
 *
 * Whatever is asked, the caller goes on at once and hears of no failure; all that is done is bounded.
 */
export class RemoteControl {
  readonly #commands: Commands;
  readonly #terminals: Terminals;

  constructor(options: RemoteControlOptions) {
    const seams = {
      timers: globalThis,
      monotonicMs: () => performance.now(),
      wallClock: () => new Date(),
      random: Math.random,
    };
    this.#commands = new Commands({ ...seams, ...options });
    this.#terminals = new Terminals({ ...seams, ...options });
  }

  /** Runs a command when its turn comes, and uploads its result; one that came before is ignored. */
  runCommand(request: CommandRequest): void {
    this.#commands.add(request);
  }

  /** Opens a terminal for the panel's request; one that came before is ignored. */
  openTerminal(requestId: string): void {
    this.#terminals.add(requestId);
  }

  /** Ends all commands and terminals with all that they have started; takes half a second at most. */
  async close(): Promise<void> {
    await settlesWithin(Promise.all([this.#commands.close(), this.#terminals.close()]), CLOSE_MS);
  }
}
