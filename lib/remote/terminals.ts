import { abortable } from "@std/async/abortable";
import type { Programs } from "../host/programs.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import type { Socket } from "../net/websocket.ts";
import { execEnvironment } from "./exec_environment.ts";
import { RecentIds, TaskQueue } from "./task_queue.ts";
import { runTerminal, sendLine } from "./terminal.ts";

/** What the terminals work with. */
export interface TerminalsOptions {
  /** `undefined` when remote control is off: every request is answered with a refusal. */
  readonly programs: Programs | undefined;
  readonly terminalIdleMs: number;
  /** Opens the connection that the panel waits for. */
  dialTerminal(requestId: string, signal: AbortSignal): Promise<Socket>;
  readonly timers: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
}

const AT_A_TIME = 4;

/** Refusals that wait: whoever asks for more gets no answer. */
const WAITING_REFUSALS = 64;

const REMEMBERED_IDS = 1024;

/** The panel waits so long for a terminal's connection. */
const DIAL_MS = 30_000;

const DISABLED =
  "Remote control is disabled. To turn it on, start the agent with --enable-remote-control.";

const TOO_MANY = `Cannot open a terminal: ${AT_A_TIME} are open already. Close one and try again.`;

/** The panel's terminals: a few at a time, and a line that says why for the others. */
export class Terminals {
  readonly #options: TerminalsOptions;
  readonly #log = getLogger("remote");
  readonly #refusalLog = new LogRateLimit({ lines: 1, periodMs: Infinity });
  readonly #dropLog = new LogRateLimit({ lines: 1, periodMs: Infinity });
  readonly #ended = new AbortController();
  readonly #seen = new RecentIds(REMEMBERED_IDS);
  readonly #open = new TaskQueue({ parallel: AT_A_TIME, capacity: 0 });
  readonly #refusals = new TaskQueue({ parallel: AT_A_TIME, capacity: WAITING_REFUSALS });

  constructor(options: TerminalsOptions) {
    this.#options = options;
  }

  /** Opens a terminal for the panel's request; one that came before is ignored. */
  add(requestId: string): void {
    if (this.#ended.signal.aborted || !this.#seen.add(requestId)) return;
    const { programs } = this.#options;
    if (programs === undefined) {
      if (this.#refusalLog.allows()) {
        this.#log.warning("A terminal of the panel's was refused: remote control is off");
      }
      this.#refuse(requestId, DISABLED);
    } else if (!this.#open.add(() => this.#serve(programs, requestId))) {
      this.#refuse(requestId, TOO_MANY);
    }
  }

  /** Hangs all up; resolves when nothing of them is left. */
  async close(): Promise<void> {
    this.#ended.abort(new DOMException("The agent ends", "AbortError"));
    await Promise.all([this.#open.close(), this.#refusals.close()]);
  }

  async #serve(programs: Programs, requestId: string): Promise<void> {
    const startMs = this.#options.monotonicMs();
    try {
      const socket = await this.#dial(requestId);
      this.#log.info("Terminal {requestId} starts", { requestId });
      const why = await runTerminal(socket, {
        programs,
        ...execEnvironment(programs),
        idleMs: this.#options.terminalIdleMs,
        signal: this.#ended.signal,
        timers: this.#options.timers,
        monotonicMs: this.#options.monotonicMs,
      });
      const duration = `${((this.#options.monotonicMs() - startMs) / 1000).toFixed(1)} s`;
      this.#log.info("Terminal {requestId} ended after {duration}: {why}", {
        requestId,
        duration,
        why,
      });
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      this.#log.warning("Terminal {requestId} failed: {error}", {
        requestId,
        error: describeError(error),
      });
    }
  }

  /** The connection, within the time that the panel waits for it. */
  async #dial(requestId: string): Promise<Socket> {
    const { timers } = this.#options;
    const late = new AbortController();
    const timer = timers.setTimeout(() => {
      late.abort(new DOMException(`no connection within ${DIAL_MS / 1000} s`, "TimeoutError"));
    }, DIAL_MS);
    const signal = AbortSignal.any([this.#ended.signal, late.signal]);
    const dialling = Promise.resolve().then(() => this.#options.dialTerminal(requestId, signal));
    try {
      return await abortable(dialling, signal);
    } catch (cause) {
      // One that comes about all the same is not wanted any more.
      dialling.then((socket) => socket.close(), () => {});
      throw new Error("Cannot connect the terminal to the panel", { cause });
    } finally {
      timers.clearTimeout(timer);
    }
  }

  #refuse(requestId: string, line: string): void {
    const { timers, monotonicMs } = this.#options;
    const askedMs = monotonicMs();
    const isTaken = this.#refusals.add(async () => {
      if (monotonicMs() - askedMs >= DIAL_MS) return;
      try {
        const socket = await this.#dial(requestId);
        await sendLine(socket, { line, timers });
        socket.close();
      } catch (error) {
        this.#log.debug("{error}", { error: describeError(error) });
      }
    });
    if (!isTaken && this.#dropLog.allows()) {
      this.#log.warning("Too many terminals are asked for; some requests are dropped");
    }
  }
}
