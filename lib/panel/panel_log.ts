import { getLogger } from "../log.ts";
import { Troubles } from "./troubles.ts";

/** Is told how each call went. */
export interface OutcomeListener {
  /** `undefined` when it went well; must not throw. */
  heard?(error: unknown): void;
}

/** Tells the operator how it goes with the panel, in few words. */
export class PanelLog {
  readonly #log = getLogger("panel");
  readonly #troubles = new Troubles(() => performance.now());
  readonly #listener: OutcomeListener;

  constructor(listener: OutcomeListener = {}) {
    this.#listener = listener;
  }

  /** A call failed. */
  failed(call: string, error: unknown): void {
    this.#listener.heard?.(error);
    const event = this.#troubles.failed(call, error);
    if (event !== undefined) this.#log.warning("{text}; trying again", { text: event.text });
  }

  /** A call went well. */
  succeeded(call: string): void {
    this.#listener.heard?.(undefined);
    const event = this.#troubles.succeeded(call);
    if (event !== undefined) this.#log.info("{text}", { text: event.text });
  }

  info(text: string): void {
    this.#log.info("{text}", { text });
  }

  warning(text: string): void {
    this.#log.warning("{text}", { text });
  }
}
