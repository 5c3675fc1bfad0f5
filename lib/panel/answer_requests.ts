/** Time after which a report by WebSocket asks for an answer again. */
export const ANSWER_INTERVAL_MS = 5_000;
/** Part of the interval that a timer may be late. */
const TOLERANCE = 0.1;

/**
 * Decides which reports by WebSocket ask the panel for an answer.
 *
 * An answer costs the agent as much as a fifth of a report, and the panel as well, so at intervals
 * below 3 s not every report asks for one. An answer shows that the connection is alive and that the
 * panel takes the reports, those before it included.
 */
export class AnswerRequests {
  #askedAtMs = -Infinity;

  /** Whether the report at `nowMs` has to ask, since the next one would be too late; counts it then. */
  isDue(nowMs: number, { intervalMs }: { intervalMs: number }): boolean {
    const nextMs = nowMs + intervalMs * (1 - TOLERANCE);
    if (nextMs - this.#askedAtMs < ANSWER_INTERVAL_MS) return false;
    this.#askedAtMs = nowMs;
    return true;
  }

  /** Makes the next report ask. */
  reset(): void {
    this.#askedAtMs = -Infinity;
  }
}
