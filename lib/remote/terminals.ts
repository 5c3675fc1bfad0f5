import type { Programs } from "../host/programs.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import type { PanelOrder } from "../panel/orders.ts";
import type { WebSocketOpener } from "../panel/websocket_opener.ts";
import { sendLine } from "./terminal.ts";
import { DIAL_MS, dialTerminal, KeptTerminal } from "./kept_terminal.ts";

/** A request for a terminal. One that is not resumable ends with its connection. */
type TerminalOrder = PanelOrder & { kind: "terminal" };

const MAX_OPEN = 32;

/** Refusals at a time; further requests are dropped. */
const MAX_REFUSALS = 64;

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
  readonly #refusalLog = LogRateLimit.once();
  readonly #dropLog = LogRateLimit.once();
  readonly #terminalLog = new LogRateLimit({ lines: LOGGED_A_MINUTE });
  readonly #ended = new AbortController();
  /** By request. */
  readonly #open = new Map<string, KeptTerminal>();
  readonly #running = new Set<Promise<void>>();
  readonly #refused = new Map<string, Promise<void>>();

  /**
   * @param programs `undefined` when remote control is off: every request is refused then.
   * @param options `idleMs`: a terminal ends after so long without keys and output; 0 never does.
   */
  constructor(
    programs: Programs | undefined,
    opener: WebSocketOpener,
    { idleMs }: { idleMs: number },
  ) {
    this.#programs = programs;
    this.#opener = opener;
    this.#idleMs = idleMs;
  }

  /** Opens a terminal for the panel's request, or connects the one of the same id anew. */
  handle({ requestId, resumable }: TerminalOrder): void {
    if (this.#ended.signal.aborted) return;
    const open = this.#open.get(requestId);
    if (open?.isOver === false) return open.request();
    const programs = this.#programs;
    if (programs === undefined) {
      this.#refusalLog.write(() =>
        this.#log.warning(
          "Refused a terminal of the panel: remote control is off \u2192 " +
            "--enable-remote-control turns it on, if that is wanted",
        )
      );
      return this.#refuse(requestId, DISABLED);
    }
    if (this.#open.size >= MAX_OPEN) {
      return this.#refuse(requestId, TOO_MANY);
    }
    const session = new KeptTerminal({
      requestId,
      resumable,
      programs,
      opener: this.#opener,
      idleMs: this.#idleMs,
      signal: this.#ended.signal,
      level: this.#terminalLog.allows() ? "info" : "debug",
    });
    this.#open.set(requestId, session);
    const running = session.run().finally(() => {
      this.#running.delete(running);
      if (this.#open.get(requestId) === session) this.#open.delete(requestId);
    });
    this.#running.add(running);
  }

  /** Connects those anew whose connections are dead: the one for reports was. */
  check(): void {
    for (const session of this.#open.values()) session.check();
  }

  /** Ends all terminals; resolves when nothing of them is left. */
  async close(): Promise<void> {
    this.#ended.abort(new DOMException("The agent ends", "AbortError"));
    await Promise.all([...this.#running, ...this.#refused.values()]);
  }

  #refuse(requestId: string, line: string): void {
    if (this.#refused.has(requestId)) return;
    if (this.#refused.size < MAX_REFUSALS) {
      this.#refused.set(requestId, this.#showRefusal(requestId, line));
    } else {
      this.#dropLog.write(() =>
        this.#log.warning("The panel asks for too many terminals: some requests are dropped")
      );
    }
  }

  async #showRefusal(requestId: string, line: string): Promise<void> {
    try {
      const options = { requestId, timeoutMs: DIAL_MS, signal: this.#ended.signal };
      const socket = await dialTerminal(this.#opener, options);
      if (socket !== undefined) await sendLine(socket, line);
      socket?.close();
    } catch (error) {
      this.#log.debug("{error}", { error: describeError(error) });
    } finally {
      this.#refused.delete(requestId);
    }
  }
}
