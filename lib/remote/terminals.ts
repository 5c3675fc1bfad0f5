import { BoundedQueue } from "../async/bounded_queue.ts";
import { withTimeout } from "../async/timeout.ts";
import type { Programs } from "../host/programs.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import type { PanelOrder } from "../panel/orders.ts";
import type { WebSocketOpener } from "../panel/websocket_opener.ts";
import { execEnvironment } from "./exec_environment.ts";
import { DIAL_MS, sendLine, Terminal } from "./terminal.ts";

const MAX_OPEN = 32;

/** Terminals of a minute that are logged at the levels info and warning; the others at debug. */
const LOGGED_A_MINUTE = 5;

const DISABLED =
  "Remote control is disabled. To turn it on, start the agent with --enable-remote-control.";

const TOO_MANY = `Cannot open a terminal: ${MAX_OPEN} are open already. Close one and try again.`;

/** The panel's terminals: 32 at a time, and a line that says why for the others. */
export class Terminals {
  readonly #programs: Programs | undefined;
  readonly #opener: WebSocketOpener;
  readonly #idleMs: number;
  readonly #log = getLogger("remote");
  readonly #terminalLog = new LogRateLimit({ lines: LOGGED_A_MINUTE });
  readonly #ended = new AbortController();
  /** By request. */
  readonly #open = new Map<string, Terminal>();
  readonly #running = new BoundedQueue<Terminal>({
    run: (terminal) => terminal.run(),
    concurrency: MAX_OPEN,
    capacity: 0,
  });
  readonly #refusals = new BoundedQueue<{ requestId: string; line: string }>({
    run: (refusal) => this.#showRefusal(refusal),
    // Each is a connection of its own to the panel, whose certificates may be slow to check.
    concurrency: 1,
    capacity: 0,
    startRate: { starts: 6, periodMs: 60_000 },
  });

  /**
   * @param programs `undefined` when remote control is off: every request is refused then.
   * @param idleMs A terminal ends after so long without keys and output; 0 never does.
   */
  constructor(programs: Programs | undefined, opener: WebSocketOpener, idleMs: number) {
    this.#programs = programs;
    this.#opener = opener;
    this.#idleMs = idleMs;
  }

  /** Opens a terminal for the panel's request, or connects the one of the same id anew. */
  handle({ requestId, resumable }: PanelOrder & { kind: "terminal" }): void {
    if (this.#ended.signal.aborted) return;
    for (const [id, { isOver }] of this.#open) if (isOver) this.#open.delete(id);
    const open = this.#open.get(requestId);
    if (open !== undefined) return open.request();
    const programs = this.#programs;
    if (programs === undefined) return void this.#refusals.add({ requestId, line: DISABLED });
    const terminal = new Terminal({
      requestId,
      resumable,
      programs,
      environment: execEnvironment(programs),
      opener: this.#opener,
      idleMs: this.#idleMs,
      signal: this.#ended.signal,
      level: this.#terminalLog.allows() ? "info" : "debug",
    });
    if (this.#running.add(terminal)) this.#open.set(requestId, terminal);
    else this.#refusals.add({ requestId, line: TOO_MANY });
  }

  /** Connects those anew whose connections are dead: the one for reports was. */
  check(): void {
    for (const terminal of this.#open.values()) terminal.check();
  }

  /** Ends all terminals; resolves when nothing of them is left. */
  async close(): Promise<void> {
    this.#ended.abort(new DOMException("The agent ends", "AbortError"));
    await Promise.all([this.#running.close(), this.#refusals.close()]);
  }

  async #showRefusal({ requestId, line }: { requestId: string; line: string }): Promise<void> {
    try {
      const dial = (signal: AbortSignal) => this.#opener.openTerminal(requestId, signal);
      const socket = await withTimeout(dial, { timeoutMs: DIAL_MS, signal: this.#ended.signal });
      if (socket !== undefined) await sendLine(socket, line);
      socket?.close();
    } catch (error) {
      this.#log.debug("{error}", { error: describeError(error) });
    }
  }
}
