import type { Host } from "../host/host.ts";
import { describeError } from "../log/log.ts";
import { parseNvidiaSmi } from "../parse/nvidia_smi.ts";
import type { Gpu } from "../types.ts";
import {
  type DrmGpu,
  GPU_POLL_MS,
  type GpuCollector,
  type GpuDecision,
  listNames,
  listNvidiaDriverGpus,
  NVIDIA_VENDOR,
  openPowerState,
} from "./gpu_devices.ts";

/** Runs `nvidia-smi` and returns its output; `undefined` when it is not installed. */
export type RunNvidiaSmi = () => Promise<string | undefined>;

/** Longer than the helper shell lets `nvidia-smi` run. */
const TIMEOUT_MS = 8_000;

interface Slot {
  readonly name: string;
  readonly isSuspended: () => boolean;
}

/**
 * Measures the cards of NVIDIA's driver, which only `nvidia-smi` can query.
 *
 * `nvidia-smi` queries all cards and wakes suspended ones: while a card is suspended it is not run, and
 * only the suspended cards are reported, with a utilization of 0. At most one run is in flight.
 */
export class NvidiaGpuCollector implements GpuCollector {
  readonly subject = "NVIDIA graphics cards";
  readonly #slots: readonly Slot[];
  readonly #hasDriver: boolean;
  #run: RunNvidiaSmi | undefined;
  #inFlight: Promise<void> | undefined;
  #startedAtMs = 0;
  #sampledAtMs = -Infinity;
  #last: readonly Gpu[] | undefined;
  #rows: readonly Gpu[] = [];
  #error: unknown;
  #isDisabled = false;

  constructor(
    host: Pick<Host, "roots" | "readText" | "list" | "open">,
    cards: readonly DrmGpu[],
  ) {
    const ofDriver = listNvidiaDriverGpus(host);
    this.#hasDriver = ofDriver.length > 0;
    const listed = this.#hasDriver
      ? ofDriver.map(({ folder, model }) => ({ folder, name: model ?? "NVIDIA" }))
      : cards.filter(({ vendor }) => vendor === NVIDIA_VENDOR);
    this.#slots = listed.map(({ folder, name }) => {
      return { name, isSuspended: openPowerState(host, folder) };
    });
  }

  /** Enables the collector, which has no data before. */
  useNvidiaSmi(run: RunNvidiaSmi): void {
    this.#run = run;
    this.#sample(run, performance.now());
  }

  /** Resolves when no run is in flight. */
  async settled(): Promise<void> {
    await this.#inFlight;
  }

  collect(): readonly Gpu[] | undefined {
    if (this.#run === undefined) return undefined;
    const nowMs = performance.now();
    if (nowMs - this.#sampledAtMs >= GPU_POLL_MS) this.#sample(this.#run, nowMs);
    if (this.#inFlight !== undefined && nowMs - this.#startedAtMs > TIMEOUT_MS) {
      throw new Error("Cannot run nvidia-smi: it hangs and can't be killed");
    }
    if (this.#error !== undefined) throw this.#error;
    return this.#last;
  }

  /** Names of the cards that were reported last, as in a machine's facts; `undefined` without one. */
  names(): string | undefined {
    return listNames(this.#rows.map(({ name }) => name));
  }

  decisions(): GpuDecision[] {
    if (this.#error !== undefined) {
      return [{ name: "NVIDIA", counted: false, rule: describeError(this.#error) }];
    }
    return (this.#last ?? []).map((card) => ({
      name: card.name,
      counted: true,
      rule: card.isSuspended ? "suspended: nvidia-smi was not run" : "nvidia-smi",
      gpu: card,
    }));
  }

  #sample(run: RunNvidiaSmi, nowMs: number): void {
    this.#sampledAtMs = nowMs;
    if (this.#isDisabled) return;
    const asleep = this.#suspendedCards();
    if (asleep.length > 0) {
      this.#last = asleep;
      this.#error = undefined;
    } else if (this.#inFlight === undefined) {
      this.#startedAtMs = nowMs;
      this.#inFlight = run()
        .then((text) => this.#store(text))
        .catch((error) => this.#fail(error))
        .finally(() => this.#inFlight = undefined);
    }
  }

  #suspendedCards(): Gpu[] {
    return this.#slots.flatMap(({ name, isSuspended }, index): Gpu[] => {
      if (!isSuspended()) return [];
      // Slots and rows have the same order, but a slot may have no row.
      const row = this.#rows.length === this.#slots.length ? this.#rows[index] : undefined;
      const total = row?.memory?.totalBytes;
      return [{
        name: row?.name ?? name,
        usePercent: 0,
        memory: total === undefined ? undefined : { totalBytes: total, usedBytes: 0 },
        isSuspended: true,
      }];
    });
  }

  #store(text: string | undefined): void {
    if (text === undefined) {
      this.#isDisabled = true;
      throw new Error("Cannot run nvidia-smi: it is not installed or not executable");
    }
    this.#rows = parseNvidiaSmi(text);
    this.#last = this.#rows.filter((card) => Object.keys(card).length > 1);
    this.#error = undefined;
  }

  #fail(error: unknown): void {
    // nvidia-smi may be installed without a card.
    if (!this.#hasDriver && this.#rows.length === 0) this.#isDisabled = true;
    else this.#error = error;
  }
}
