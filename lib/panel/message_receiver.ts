import { getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { MessageLimit } from "./message_limit.ts";
import type { PanelEvent, PanelMessage } from "./messages.ts";
import type { PanelOrder } from "./orders.ts";

/** Receives the messages of a panel, which are not trusted: bounds them, and passes on its orders. */
export class MessageReceiver {
  readonly #onOrder: (order: PanelOrder) => void;
  readonly #limit = new MessageLimit();
  readonly #log = getLogger("panel");
  readonly #invalidLog = new LogRateLimit();
  readonly #unknownLog = new LogRateLimit();
  readonly #noticeLog = new LogRateLimit();
  readonly #dropLog = new LogRateLimit();

  /** @param onOrder Handles an order; must not throw. */
  constructor(onOrder: (order: PanelOrder) => void) {
    this.#onOrder = onOrder;
  }

  /** Counts a message before it is parsed; `false` when it has to be dropped: there are too many. */
  accepts(): boolean {
    if (this.#limit.allows()) return true;
    this.#dropLog.write((more) =>
      this.#log.warning("Dropped messages of the panel: it sends too many{more}", { more })
    );
    return false;
  }

  /** Handles the events of an answer, each of which counts as a message. */
  onEvents(events: readonly PanelEvent[]): void {
    for (const { message } of events) {
      if (this.accepts()) this.onMessage(message);
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
      case "unknown": {
        const { method } = message;
        const text = "Ignored an order of the panel of unknown name {method}{more}";
        return this.#unknownLog.write((more) => this.#log.debug(text, { method, more }));
      }
      case "notice": {
        const { text: notice } = message;
        return this.#noticeLog.write((more) =>
          this.#log.info("The panel says: {notice}{more}", { notice, more })
        );
      }
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
