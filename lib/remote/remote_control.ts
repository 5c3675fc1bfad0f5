import type { Programs } from "../host/programs.ts";
import { settlesWithin } from "../net/timeout.ts";
import type { WebSocketConnection } from "../net/websocket.ts";
import type { CommandResult } from "../types.ts";
import { type CommandRequest, Commands } from "./commands.ts";
import { type TerminalRequest, Terminals } from "./terminals.ts";

/** Settings of remote control; all from `timers` on is for tests. */
export interface RemoteControlOptions {
  /** `undefined` when remote control is off: every request is refused. */
  readonly programs: Programs | undefined;
  readonly execTimeoutMs: number;
  readonly terminalIdleMs: number;
  /** One attempt to send a result; rejects when the panel has not accepted it. */
  sendResult(result: CommandResult, signal: AbortSignal): Promise<void>;
  /** Opens the connection that the panel waits for; `undefined` when it waits for none any more. */
  dialTerminal(requestId: string, signal: AbortSignal): Promise<WebSocketConnection | undefined>;
  readonly timers?: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  /** Milliseconds on a clock that only runs forward. */
  readonly monotonicMs?: () => number;
  /** The date of a result. */
  readonly wallClock?: () => Date;
  /** 0 to below 1. */
  readonly random?: () => number;
}

/** Limit for ending everything, as the agent ends. */
const CLOSE_MS = 450;

/**
 * Runs the panel's commands and terminals, or refuses them.
 *
 * No method waits or throws, whatever the panel sends; everything is bounded.
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

  /** Runs a command as soon as there is room, and sends its result; a duplicate is ignored. */
  runCommand(request: CommandRequest): void {
    this.#commands.add(request);
  }

  /** Opens a terminal for the panel's request, or connects the one of the same id again. */
  openTerminal(request: TerminalRequest): void {
    this.#terminals.add(request);
  }

  /** Ends all commands and terminals with all their processes; takes half a second at most. */
  async close(): Promise<void> {
    await settlesWithin(Promise.all([this.#commands.close(), this.#terminals.close()]), CLOSE_MS);
  }
}
