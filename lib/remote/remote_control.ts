import type { Programs } from "../host/programs.ts";
import { settlesWithin } from "../net/timeout.ts";
import type { WebSocketConnection } from "../net/websocket.ts";
import type { CommandResult, FileResult } from "../types.ts";
import { type CommandRequest, Commands } from "./commands.ts";
import type { FileRequest } from "./file_requests.ts";
import type { FileTransfers } from "./file_transfer.ts";
import { Files } from "./files.ts";
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
  /** Whether the panel may read and change files; never without `programs`. */
  readonly allowsFiles: boolean;
  readonly transfers: FileTransfers;
  /** One attempt to send the answer to a file request; rejects when the panel has not accepted it. */
  sendFileResult(result: FileResult, signal: AbortSignal): Promise<void>;
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
 * Runs the panel's commands, terminals and file requests, or refuses them.
 *
 * No method waits or throws, whatever the panel sends; everything is bounded.
 */
export class RemoteControl {
  readonly #commands: Commands;
  readonly #terminals: Terminals;
  readonly #files: Files;

  constructor(options: RemoteControlOptions) {
    const seams = {
      timers: globalThis,
      monotonicMs: () => performance.now(),
      wallClock: () => new Date(),
      random: Math.random,
    };
    this.#commands = new Commands({ ...seams, ...options });
    this.#terminals = new Terminals({ ...seams, ...options });
    this.#files = new Files({ ...seams, ...options });
  }

  /** Runs a command as soon as there is room, and sends its result; a duplicate is ignored. */
  runCommand(request: CommandRequest): void {
    this.#commands.add(request);
  }

  /** Opens a terminal for the panel's request, or connects the one of the same id again. */
  openTerminal(request: TerminalRequest): void {
    this.#terminals.add(request);
  }

  /** Runs a file request as soon as there is room, and sends its answer; a duplicate is ignored. */
  handleFile(request: FileRequest): void {
    this.#files.add(request);
  }

  /** Ends everything, with all processes and unfinished uploads; takes half a second at most. */
  async close(): Promise<void> {
    const closing = [this.#commands.close(), this.#terminals.close(), this.#files.close()];
    await settlesWithin(Promise.all(closing), CLOSE_MS);
  }
}
