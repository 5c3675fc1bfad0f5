import type { Host } from "../host/host.ts";
import { describeError } from "../log/log.ts";
import { parseNvidiaSmi } from "../parse/nvidia_smi.ts";
import type { GraphicsCard } from "../types.ts";
import {
  CardPower,
  type CardVerdict,
  type DrmCard,
  type GraphicsCollector,
  LOOK_AGAIN_MS,
  NVIDIA_VENDOR,
  nvidiaDriverCards,
} from "./gpu_devices.ts";

/** Gives what `nvidia-smi` says; `undefined` when it is not there. */
export type AskNvidiaSmi = () => Promise<string | undefined>;

/** Longer than `nvidia-smi` is let run. */
const PATIENCE_MS = 8_000;

interface Slot {
  readonly power: CardPower;
  readonly name: string;
}

/**
 * The cards of NVIDIA's own driver, which tells of them to `nvidia-smi` alone.
 *
 * That asks all cards at once and would wake those that sleep: while one of them sleeps it is not
 * asked, and only the sleeping ones are reported, with a use of 0. One question is under way at most.
 */
export class NvidiaCards implements GraphicsCollector {
  readonly subject = "NVIDIA graphics cards";
  readonly #slots: readonly Slot[];
  readonly #isDriverHere: boolean;
  readonly #monotonicMs: () => number;
  #ask: AskNvidiaSmi | undefined;
  #asking: Promise<void> | undefined;
  #askedAtMs = 0;
  #lookedAtMs = -Infinity;
  #last: readonly GraphicsCard[] | undefined;
  #rows: readonly GraphicsCard[] = [];
  #error: unknown;
  #givenUp = false;

  constructor(
    host: Pick<Host, "roots" | "readText" | "list" | "open" | "monotonicMs">,
    cards: readonly DrmCard[],
  ) {
    const ofDriver = nvidiaDriverCards(host);
    this.#isDriverHere = ofDriver.length > 0;
    const listed = this.#isDriverHere
      ? ofDriver.map(({ folder, model }) => ({ folder, name: model ?? "NVIDIA" }))
      : cards.filter(({ vendor }) => vendor === NVIDIA_VENDOR);
    this.#slots = listed.map(({ folder, name }) => ({ power: new CardPower(host, folder), name }));
    this.#monotonicMs = () => host.monotonicMs();
  }

  /** Whom to ask from now on; until then nothing is known. */
  useNvidiaSmi(ask: AskNvidiaSmi): void {
    this.#ask = ask;
    this.#look(ask, this.#monotonicMs());
  }

  /** Resolves when no question is under way. */
  async settled(): Promise<void> {
    await this.#asking;
  }

  collect(): readonly GraphicsCard[] | undefined {
    if (this.#ask === undefined) return undefined;
    const nowMs = this.#monotonicMs();
    if (nowMs - this.#lookedAtMs >= LOOK_AGAIN_MS) this.#look(this.#ask, nowMs);
    if (this.#asking !== undefined && nowMs - this.#askedAtMs > PATIENCE_MS) {
      throw new Error("Cannot ask nvidia-smi: it hangs, and nothing can end it");
    }
    if (this.#error !== undefined) throw this.#error;
    return this.#last;
  }

  verdicts(): CardVerdict[] {
    if (this.#error !== undefined) {
      return [{ name: "NVIDIA", counted: false, rule: describeError(this.#error) }];
    }
    return (this.#last ?? []).map((card) => ({
      name: card.name,
      counted: true,
      rule: card.asleep ? "asleep, so nvidia-smi was not asked" : "nvidia-smi",
      card,
    }));
  }

  #look(ask: AskNvidiaSmi, nowMs: number): void {
    this.#lookedAtMs = nowMs;
    if (this.#givenUp) return;
    const asleep = this.#asleep();
    if (asleep.length > 0) {
      this.#last = asleep;
      this.#error = undefined;
    } else if (this.#asking === undefined) {
      this.#askedAtMs = nowMs;
      this.#asking = ask()
        .then((text) => this.#take(text))
        .catch((error) => this.#fail(error))
        .finally(() => this.#asking = undefined);
    }
  }

  #asleep(): GraphicsCard[] {
    return this.#slots.flatMap(({ power, name }, index): GraphicsCard[] => {
      if (!power.isAsleep()) return [];
      // Slots and rows have the same order, but not every slot needs to have a row.
      const row = this.#rows.length === this.#slots.length ? this.#rows[index] : undefined;
      const total = row?.memory?.totalBytes;
      return [{
        name: row?.name ?? name,
        usePercent: 0,
        ...(total !== undefined && { memory: { totalBytes: total, usedBytes: 0 } }),
        asleep: true,
      }];
    });
  }

  #take(text: string | undefined): void {
    if (text === undefined) {
      this.#givenUp = true;
      throw new Error("Cannot ask nvidia-smi: it is not there, or may not be started");
    }
    this.#rows = parseNvidiaSmi(text);
    this.#last = this.#rows.filter((card) => Object.keys(card).length > 1);
    this.#error = undefined;
  }

  #fail(error: unknown): void {
    // Without a card of its driver, nvidia-smi may well be there, but has nothing to tell.
    if (!this.#isDriverHere && this.#rows.length === 0) this.#givenUp = true;
    else this.#error = error;
  }
}
