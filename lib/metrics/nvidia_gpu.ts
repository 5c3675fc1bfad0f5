import type { Host } from "../host/host.ts";
import { parseNvidiaSmi } from "../parse/nvidia_smi.ts";
import type { Gpu } from "../types.ts";
import { type GpuDevice, openPowerState } from "./gpu_devices.ts";
import { PolledCommand } from "./polled_command.ts";

/** Runs `nvidia-smi` and returns its output; `undefined` when it is not installed. */
export type RunNvidiaSmi = () => Promise<string | undefined>;

/** Shortest interval between two runs, less than that of the collector. */
const MIN_INTERVAL_MS = 9_000;
/** Longer than the helper shell lets `nvidia-smi` run. */
const TIMEOUT_MS = 8_000;

/**
 * Measures the cards of NVIDIA, which only `nvidia-smi` can query.
 *
 * `nvidia-smi` queries all cards and wakes suspended ones: while a card is suspended it is not run, and
 * only the suspended cards are reported, with a utilization of 0.
 */
export class NvidiaGpus {
  readonly subject = "NVIDIA graphics cards";
  readonly #devices: readonly { readonly name: string; readonly isSuspended: () => boolean }[];
  #command: PolledCommand | undefined;
  #rows: readonly Gpu[] = [];

  /** `devices` are those that the kernel lists. */
  constructor(host: Pick<Host, "open">, devices: readonly GpuDevice[]) {
    this.#devices = devices.map((device) => {
      return { name: device.name, isSuspended: openPowerState(host, device) };
    });
  }

  /** Enables the collector, which has no data before. */
  useNvidiaSmi(run: RunNvidiaSmi): void {
    let isMissing = false;
    this.#command = new PolledCommand(async () => {
      const text = isMissing ? undefined : await run();
      isMissing = text === undefined;
      if (text !== undefined) return text;
      throw new Error("Cannot run nvidia-smi: it is not installed or not executable");
    }, MIN_INTERVAL_MS);
  }

  /** Runs `nvidia-smi` for the first time, if no card sleeps; resolves when it has ended. */
  async start(): Promise<void> {
    if (this.#suspendedCards().length === 0) await this.#command?.refresh();
  }

  /** Values of the last run. @throws {Error} When it failed, or hangs. */
  collect(): readonly Gpu[] | undefined {
    const command = this.#command;
    if (command === undefined) return undefined;
    const asleep = this.#suspendedCards();
    if (asleep.length > 0) return asleep;
    try {
      if (command.inFlightMs > TIMEOUT_MS) {
        throw new Error("Cannot run nvidia-smi: it hangs and can't be killed");
      }
      const text = command.read();
      if (text === undefined) return undefined;
      this.#rows = parseNvidiaSmi(text);
    } catch (error) {
      // nvidia-smi may be installed without a card.
      if (this.#devices.length === 0 && this.#rows.length === 0) return undefined;
      throw error;
    }
    return this.#rows.filter((card) => Object.keys(card).length > 1);
  }

  /** Names of the cards by the last run. */
  get names(): string[] {
    return this.#rows.map(({ name }) => name);
  }

  #suspendedCards(): Gpu[] {
    return this.#devices.flatMap(({ name, isSuspended }, index): Gpu[] => {
      if (!isSuspended()) return [];
      // Devices and rows have the same order, but a device may have no row.
      const row = this.#rows.length === this.#devices.length ? this.#rows[index] : undefined;
      const total = row?.memory?.totalBytes;
      return [{
        name: row?.name ?? name,
        usePercent: 0,
        memory: total === undefined ? undefined : { totalBytes: total, usedBytes: 0 },
        isSuspended: true,
      }];
    });
  }
}
