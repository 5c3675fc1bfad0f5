import type { Programs } from "../host/programs.ts";
import { settlesWithin } from "../net/timeout.ts";
import type { WebSocketConnection } from "../net/websocket.ts";
import type { CommandResult, FileResult } from "../types.ts";
import { type CommandRequest, Commands } from "./commands.ts";
import type { FileRequest } from "./file_requests.ts";
import type { FileTransfers } from "./file_transfer.ts";
import { Files } from "./files.ts";
import { RecentIds } from "./task_queue.ts";
import { ResultQueue } from "./result_queue.ts";
import { type TerminalRequest, Terminals } from "./terminals.ts";
import { VersionSwitch, type VersionSwitchOptions } from "./version_switch.ts";

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
  /** The configuration without any secret. */
  startupConfig(): Readonly<Record<string, unknown>>;
  /** One attempt to send the configuration; rejects when the panel has not accepted it. */
  sendStartupConfig(answer: StartupConfigAnswer, signal: AbortSignal): Promise<void>;
  /** Settings of updates that the panel orders. */
  readonly updates: Pick<VersionSwitchOptions, "obstacle" | "programPath" | "env" | "cgroup">;
  readonly timers?: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  /** Milliseconds on a clock that only runs forward. */
  readonly monotonicMs?: () => number;
  /** The date of a result. */
  readonly wallClock?: () => Date;
  /** 0 to below 1. */
  readonly random?: () => number;
}

/** The answer to a request for the configuration. */
export interface StartupConfigAnswer {
  readonly requestId: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** The panel waits for the configuration for 20 s. */
const CONFIG_EXPIRES_MS = 20_000;

/** Memory of a configuration, roughly. */
const CONFIG_BYTES = 8192;

const REMEMBERED_IDS = 1024;

/** Limit for ending everything, as the agent ends. */
const CLOSE_MS = 450;

/**
 * Does what the panel orders beside probes: commands, terminals, file requests, updates and telling
 * the configuration; or refuses it.
 *
 * No method waits or throws, whatever the panel sends; everything is bounded.
 */
export class RemoteControl {
  readonly #commands: Commands;
  readonly #terminals: Terminals;
  readonly #files: Files;
  readonly #versions: VersionSwitch;
  readonly #configs: ResultQueue<StartupConfigAnswer>;
  readonly #configIds = new RecentIds(REMEMBERED_IDS);
  readonly #startupConfig: () => Readonly<Record<string, unknown>>;

  constructor(options: RemoteControlOptions) {
    const defaults = {
      timers: globalThis,
      monotonicMs: () => performance.now(),
      wallClock: () => new Date(),
      random: Math.random,
    };
    this.#commands = new Commands({ ...defaults, ...options });
    this.#terminals = new Terminals({ ...defaults, ...options });
    this.#files = new Files({ ...defaults, ...options });
    this.#versions = new VersionSwitch({ ...defaults, ...options, ...options.updates });
    this.#startupConfig = () => options.startupConfig();
    this.#configs = new ResultQueue({
      ...defaults,
      ...options,
      send: (answer, signal) => options.sendStartupConfig(answer, signal),
      nameOf: ({ requestId }) => `the configuration for request ${requestId}`,
      sizeOf: () => CONFIG_BYTES,
      expiresAfterMs: CONFIG_EXPIRES_MS,
    });
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

  /** Sends the configuration without any secret; a duplicate is ignored. */
  sendStartupConfig(requestId: string): void {
    if (!this.#configIds.add(requestId)) return;
    this.#configs.add({ requestId, config: this.#startupConfig() });
  }

  /** Updates to the latest version, or logs once why not. */
  switchVersion(version: string): void {
    this.#versions.handle(version);
  }

  /** Ends everything, with all processes and unfinished uploads; takes half a second at most. */
  async close(): Promise<void> {
    const closing = [this.#commands, this.#terminals, this.#files, this.#configs];
    await settlesWithin(Promise.all(closing.map((part) => part.close())), CLOSE_MS);
  }
}
