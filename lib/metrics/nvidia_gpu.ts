import type { Host } from "../host/host.ts";
import { describeError } from "../log/log.ts";
import { parseNvidiaSmi } from "../parse/nvidia_smi.ts";
import type { Gpu } from "../types.ts";
import {
  type DrmGpu,
  GPU_POLL_MS,
  type GpuCollector,
  type GpuDecision,
  GpuPowerState,
  listNvidiaDriverGpus,
  NVIDIA_VENDOR,
} from "./gpu_devices.ts";

/** Gives what `nvidia-smi` says; `undefined` when it is not there. */
export type RunNvidiaSmi = () => Promise<string | undefined>;

/** Longer than `nvidia-smi` is let run. */
const TIMEOUT_MS = 8_000;

interface Slot {
  readonly power: GpuPowerState;
  readonly name: string;
}

/**
 * The cards of NVIDIA's own driver, which tells of them to `nvidia-smi` alone.
 *
 * That asks all cards at once and would wake those that sleep: while one of them sleeps it is not
 * asked, and only the sleeping ones are reported, with a use of 0. One question is under way at most.
 */
export class NvidiaGpuCollector implements GpuCollector {
  readonly subject = "NVIDIA graphics cards";
  readonly #slots: readonly Slot[];
  readonly #hasDriver: boolean;
  readonly #monotonicMs: () => number;
  #run: RunNvidiaSmi | undefined;
  #inFlight: Promise<void> | undefined;
  #startedAtMs = 0;
  #sampledAtMs = -Infinity;
  #last: readonly Gpu[] | undefined;
  #rows: readonly Gpu[] = [];
  #error: unknown;
  #isDisabled = false;

  constructor(
    host: Pick<Host, "roots" | "readText" | "list" | "open" | "monotonicMs">,
    cards: readonly DrmGpu[],
  ) {
    const ofDriver = listNvidiaDriverGpus(host);
    this.#hasDriver = ofDriver.length > 0;
    const listed = this.#hasDriver
      ? ofDriver.map(({ folder, model }) => ({ folder, name: model ?? "NVIDIA" }))
      : cards.filter(({ vendor }) => vendor === NVIDIA_VENDOR);
    this.#slots = listed.map(({ folder, name }) => ({
      power: new GpuPowerState(host, folder),
      name,
    }));
    this.#monotonicMs = () => host.monotonicMs();
  }

  /** Whom to ask from now on; until then nothing is known. */
  useNvidiaSmi(ask: RunNvidiaSmi): void {
    this.#run = ask;
    this.#sample(ask, this.#monotonicMs());
  }

  /** Resolves when no question is under way. */
  async settled(): Promise<void> {
    await this.#inFlight;
  }

  collect(): readonly Gpu[] | undefined {
    if (this.#run === undefined) return undefined;
    const nowMs = this.#monotonicMs();
    if (nowMs - this.#sampledAtMs >= GPU_POLL_MS) this.#sample(this.#run, nowMs);
    if (this.#inFlight !== undefined && nowMs - this.#startedAtMs > TIMEOUT_MS) {
      throw new Error("Cannot ask nvidia-smi: it hangs, and nothing can end it");
    }
    if (this.#error !== undefined) throw this.#error;
    return this.#last;
  }

  decisions(): GpuDecision[] {
    if (this.#error !== undefined) {
      return [{ name: "NVIDIA", counted: false, rule: describeError(this.#error) }];
    }
    return (this.#last ?? []).map((card) => ({
      name: card.name,
      counted: true,
      rule: card.isSuspended ? "asleep, so nvidia-smi was not asked" : "nvidia-smi",
      gpu: card,
    }));
  }

  #sample(ask: RunNvidiaSmi, nowMs: number): void {
    this.#sampledAtMs = nowMs;
    if (this.#isDisabled) return;
    const asleep = this.#suspendedCards();
    if (asleep.length > 0) {
      this.#last = asleep;
      this.#error = undefined;
    } else if (this.#inFlight === undefined) {
      this.#startedAtMs = nowMs;
      this.#inFlight = ask()
        .then((text) => this.#store(text))
        .catch((error) => this.#fail(error))
        .finally(() => this.#inFlight = undefined);
    }
  }

  #suspendedCards(): Gpu[] {
    return this.#slots.flatMap(({ power, name }, index): Gpu[] => {
      if (!power.isSuspended()) return [];
      // Slots and rows have the same order, but not every slot needs to have a row.
      const row = this.#rows.length === this.#slots.length ? this.#rows[index] : undefined;
      const total = row?.memory?.totalBytes;
      return [{
        name: row?.name ?? name,
        usePercent: 0,
        ...(total !== undefined && { memory: { totalBytes: total, usedBytes: 0 } }),
        isSuspended: true,
      }];
    });
  }

  #store(text: string | undefined): void {
    if (text === undefined) {
      this.#isDisabled = true;
      throw new Error("Cannot ask nvidia-smi: it is not there, or may not be started");
    }
    this.#rows = parseNvidiaSmi(text);
    this.#last = this.#rows.filter((card) => Object.keys(card).length > 1);
    this.#error = undefined;
  }

  #fail(error: unknown): void {
    // Without a card of its driver, nvidia-smi may well be there, but has nothing to tell.
    if (!this.#hasDriver && this.#rows.length === 0) this.#isDisabled = true;
    else this.#error = error;
  }
}
