import { getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";

/**
 * Settings that a panel pushes, by an order or with an answer, by either transport: they are not obeyed.
 * The owner of the machine decides what is measured and how often; the log says so once.
 */
export class PushedSettings {
  readonly #log = getLogger("panel");
  readonly #once = LogRateLimit.once();

  /** Logs the first ones. */
  log(): void {
    this.#once.write(() =>
      this.#log.info("The panel sends settings for this agent: they are not applied, yours are")
    );
  }
}
