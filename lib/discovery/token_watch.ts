import { PanelError } from "../panel/panel_error.ts";

/** For so long a panel may be confused, or be another for a while, until its word is taken. */
const PATIENCE_MS = 10 * 60_000;

/** Sees when a panel has not known the token for ten minutes without a break. */
export class TokenWatch {
  readonly #nowMs: () => number;
  #sinceMs: number | undefined;

  /** `nowMs` is a clock that only runs forward. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /**
   * Notes how a call went, `undefined` when it went well; whether the ten minutes are over. They
   * begin anew then.
   */
  note(error: unknown): boolean {
    const failure = error instanceof PanelError ? error.failure : undefined;
    // Of a WebSocket that is barred nothing is known but that.
    if (failure === "barred") return false;
    if (failure !== "unauthorized") {
      this.#sinceMs = undefined;
      return false;
    }
    const nowMs = this.#nowMs();
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs < PATIENCE_MS) return false;
    this.#sinceMs = undefined;
    return true;
  }
}
