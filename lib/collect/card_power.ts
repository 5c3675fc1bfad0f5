import type { Host } from "../host/host.ts";

/** Tells whether a card sleeps, from the one file that does not wake it. */
export class CardPower {
  readonly #status: ReturnType<Host["open"]>;

  /** `folder` is the card's in `/sys`. */
  constructor(host: Pick<Host, "open">, folder: string) {
    this.#status = host.open(`${folder}/power/runtime_status`);
  }

  /** A card whose driver does not tell is awake. */
  isAsleep(): boolean {
    let status: string | undefined;
    try {
      status = this.#status.read()?.trim();
    } catch {
      return false;
    }
    return status === "suspended" || status === "suspending";
  }
}
