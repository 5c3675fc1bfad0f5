import { delay } from "@std/async/delay";
import { getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import type { MessageLimit } from "./message_limit.ts";
import type { PanelEvent, PanelMessage } from "./messages.ts";
import type { PanelOrder } from "./orders.ts";

/** Receives the messages of a panel, which are not trusted, and passes on its orders. */
export class MessageReceiver {
  /** Counts the messages before they are parsed. */
  readonly limit: MessageLimit;
  readonly #onOrder: (order: PanelOrder) => void;
  readonly #log = getLogger("panel");
  readonly #invalidLog = new LogRateLimit();
  readonly #unknownLog = new LogRateLimit();
  readonly #noticeLog = new LogRateLimit();

  /**
   * @param onOrder Handles an order; must not throw.
   */
  constructor(limit: MessageLimit, onOrder: (order: PanelOrder) => void) {
    this.limit = limit;
    this.#onOrder = onOrder;
  }

  /**
   * Handles the events of an answer, each of which counts as a message; the next call has to wait for
   * it. The signal ends the waiting, not the handling: the panel will not send them again.
   */
  async onEvents(events: readonly PanelEvent[], signal: AbortSignal): Promise<void> {
    for (const { message } of events) {
      this.onMessage(message);
      const pauseMs = this.limit.take();
      if (pauseMs > 0) await delay(pauseMs, { signal }).catch(() => {});
    }
  }

  /** Handles a message that is no answer to a call. */
  onMessage(message: PanelMessage): void {
    switch (message.kind) {
      case "answer":
        // Version 1 answers only what it refuses.
        if (message.error) this.#logInvalid(`"${message.error.text}"`);
        return;
      case "invalid":
        return this.#logInvalid(message.reason);
      case "unknown":
        return this.#unknownLog.write((more) => {
          const fields = { method: message.method, more };
          this.#log.debug("Ignored an unknown order of the panel: {method}{more}", fields);
        });
      case "notice":
        return this.#noticeLog.write((more) =>
          this.#log.info("The panel says: {notice}{more}", { notice: message.text, more })
        );
      default:
        this.#onOrder(message);
    }
  }

  #logInvalid(reason: string): void {
    this.#invalidLog.write((more) =>
      this.#log.warning("Ignored a message of the panel: {reason}{more}", { reason, more })
    );
  }
}
