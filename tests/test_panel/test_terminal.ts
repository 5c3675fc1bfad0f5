import type { WebSocket } from "ws";
import { TerminalSession } from "./terminal_session.ts";
import { untilEvent } from "./test_panel_state.ts";

/** A terminal that a test can wait for, and that tells when the agent dials it twice. */
export class TestTerminal extends TerminalSession {
  readonly #onSecondDial: () => void;

  constructor(id: string, options: { onSecondDial: () => void }) {
    super(id);
    this.#onSecondDial = options.onSecondDial;
  }

  override attach(socket: WebSocket): void {
    if (this.socket !== undefined) this.#onSecondDial();
    super.attach(socket);
  }

  /** Tells the agent the size of the terminal. */
  resize(cols: number, rows: number): void {
    this.send(JSON.stringify({ type: "resize", cols, rows }));
  }

  /** Resolves as soon as `condition` holds; rejects with the signal's reason when it aborts before. */
  until(
    condition: (terminal: TestTerminal) => boolean,
    options?: { signal?: AbortSignal },
  ): Promise<void> {
    const subscribe = (listener: () => void, signal: AbortSignal) =>
      this.listen(listener, { signal });
    return untilEvent(subscribe, () => condition(this), options);
  }
}

/** A terminal of panels up to 1.4, which ends with either connection. */
export class PlainTerminal extends TestTerminal {
  override detachBrowser(): void {
    this.end();
  }

  override close(): void {
    this.end();
  }

  protected override onDisconnect(): void {
    this.end();
  }
}
