import type { PanelEvent } from "../panel_message.ts";

/** So many events are remembered; a panel keeps 128 for a node. */
const REMEMBERED = 1024;

/**
 * Which events came by POST, so that each is dealt with once, and which of them the panel has yet
 * to be told of.
 */
export class Acknowledgements {
  readonly #seen = new Set<string>();
  readonly #due = new Set<string>();

  /** What goes into the next report or pull: ids of events that the panel may still repeat. */
  get due(): string[] {
    return [...this.#due];
  }

  /** The panel has answered a call that carried these. */
  confirm(ids: readonly string[]): void {
    for (const id of ids) this.#due.delete(id);
  }

  /** Takes note of events; those that are new. */
  take(events: readonly PanelEvent[]): PanelEvent[] {
    const fresh: PanelEvent[] = [];
    for (const event of events) {
      const { id } = event;
      if (!this.#seen.has(id)) fresh.push(event);
      this.#due.add(id);
      // Set again, so that what comes again is forgotten last.
      this.#seen.delete(id);
      this.#seen.add(id);
    }
    forgetOldest(this.#seen);
    forgetOldest(this.#due);
    return fresh;
  }
}

function forgetOldest(ids: Set<string>): void {
  for (const id of ids) {
    if (ids.size <= REMEMBERED) return;
    ids.delete(id);
  }
}
