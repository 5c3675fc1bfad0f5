import { getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import type { PanelOrder } from "../panel/orders.ts";
import type { Commands } from "./commands.ts";
import type { Files } from "./files.ts";

/** Answers orders that were not read, since they are too long; one whose id was not found is logged alone. */
export class LongOrders {
  readonly #commands: Commands;
  readonly #files: Files;
  readonly #log = getLogger("remote");
  readonly #refusalLog = LogRateLimit.once();

  constructor({ commands, files }: { commands: Commands; files: Files }) {
    this.#commands = commands;
    this.#files = files;
  }

  /** Answers an order with its size and the limit, and logs the first one. */
  handle(order: PanelOrder & { kind: "too long" }): void {
    const { method, orderId, lengthBytes, limitBytes } = order;
    this.#refusalLog.write(() =>
      this.#log.warning(
        "Refused an order of the panel, {method}, of {lengthBytes} bytes: at most {limitBytes} are taken",
        { method: method || "of unknown name", lengthBytes, limitBytes },
      )
    );
    if (orderId === undefined) return;
    const reason = `it has ${lengthBytes} bytes, and at most ${limitBytes} are taken`;
    if (method === "agent.exec") this.#commands.refuseLong(orderId, reason);
    if (method === "agent.file") this.#files.refuseLong(orderId, `too long a request: ${reason}`);
  }
}
