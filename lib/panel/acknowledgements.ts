import type { PanelEvent, RpcParams } from "./messages.ts";

/** Ids that are remembered; a panel keeps 128 events for a node. */
const MAX_IDS = 1024;

/**
 * The ids of events, so that each event is handled once and acknowledged until the panel knows.
 *
 * Events are delivered at least once: the panel repeats them until they are acknowledged. Every report
 * and every pull carries all pending ids, until an answer to a call that carried them has come.
 */
export class Acknowledgements {
  readonly #seen = new Set<string>();
  readonly #pending = new Set<string>();

  /** Whether the next report or pull carries ids. */
  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  /** Makes a call whose parameters carry all pending ids, which are removed when it was answered. */
  async carry<T>(params: RpcParams, call: (params: RpcParams) => Promise<T>): Promise<T> {
    if (!this.hasPending) return await call(params);
    const ids = [...this.#pending];
    const answer = await call({ ...params, ack_event_ids: ids });
    for (const id of ids) this.#pending.delete(id);
    return answer;
  }

  /** Adds the ids of received events; gives the events that are new. */
  add(events: readonly PanelEvent[]): PanelEvent[] {
    const fresh: PanelEvent[] = [];
    for (const event of events) {
      const { id } = event;
      if (!this.#seen.has(id)) fresh.push(event);
      this.#pending.add(id);
      // Moved to the end, so that repeated ids are forgotten last.
      this.#seen.delete(id);
      this.#seen.add(id);
    }
    forgetOldest(this.#seen);
    forgetOldest(this.#pending);
    return fresh;
  }
}

function forgetOldest(ids: Set<string>): void {
  for (const id of ids) {
    if (ids.size <= MAX_IDS) return;
    ids.delete(id);
  }
}
