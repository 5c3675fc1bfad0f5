import type { Host, Source } from "../host/host.ts";
import { quoteStart } from "../parse/bounded_text.ts";
import type { Gpu } from "../types.ts";
import { type GpuDevice, openPowerState } from "./gpu_devices.ts";

const USE = "gpu_busy_percent";
const MEMORY_TOTAL = "mem_info_vram_total";
const MEMORY_USED = "mem_info_vram_used";

/**
 * Measures a card of AMD from the files of `amdgpu` in `/sys`.
 *
 * Of a suspended card only the power state is read, because everything else would wake it; its
 * utilization and memory are 0.
 */
export class AmdGpu {
  readonly name: string;
  readonly folder: string;
  readonly #isSuspended: () => boolean;
  /** Those that the driver has, by their names below the device folder. */
  readonly #files = new Map<string, Source>();
  /** Of the card's first sensor, the edge of its chip. */
  readonly #thermometer: string;
  #memoryTotalBytes: number | undefined;

  constructor(host: Pick<Host, "open" | "exists" | "list">, card: GpuDevice) {
    this.name = card.name;
    this.folder = card.folder;
    this.#isSuspended = openPowerState(host, card);
    const [monitor = ""] = host.list(`${card.folder}/hwmon`) ?? [];
    this.#thermometer = `hwmon/${monitor}/temp1_input`;
    for (const name of [USE, MEMORY_TOTAL, MEMORY_USED, this.#thermometer]) {
      const path = `${card.folder}/${name}`;
      if (host.exists(path)) this.#files.set(name, host.open(path));
    }
  }

  /** Name of the metric as in the report's message. */
  get subject(): string {
    return `graphics card ${this.name}`;
  }

  /** Whether the driver has any metrics of the card. */
  get hasMetrics(): boolean {
    return this.#files.size > 0;
  }

  /** @throws {Error} When no file can be read. */
  collect(): readonly Gpu[] {
    return [this.#isSuspended() ? this.#suspendedCard() : this.#readCard()];
  }

  #suspendedCard(): Gpu {
    const total = this.#memoryTotalBytes;
    return {
      name: this.name,
      isSuspended: true,
      usePercent: this.#files.has(USE) ? 0 : undefined,
      memory: total === undefined ? undefined : { totalBytes: total, usedBytes: 0 },
    };
  }

  /** Reads all files; an unreadable one is absent, but at least one must be readable. */
  #readCard(): Gpu {
    const failures: unknown[] = [];
    const read = (name: string): number | undefined => {
      try {
        return wholeNumber(this.#files.get(name)?.read());
      } catch (error) {
        failures.push(error);
        return undefined;
      }
    };
    const [use, total, used] = [read(USE), read(MEMORY_TOTAL), read(MEMORY_USED)];
    const celsius = (read(this.#thermometer) ?? NaN) / 1000;
    if (failures.length === this.#files.size) {
      throw new Error("Cannot read any file of the card", { cause: failures[0] });
    }
    const card: Gpu = { name: this.name };
    // Some drivers return numbers out of range.
    if (use !== undefined && use >= 0 && use <= 100) card.usePercent = use;
    if (total !== undefined && total > 0) {
      this.#memoryTotalBytes = total;
      if (used !== undefined && used >= 0) {
        card.memory = { totalBytes: total, usedBytes: Math.min(used, total) };
      }
    }
    if (celsius > -273 && celsius < 1000) card.temperatureCelsius = celsius;
    return card;
  }
}

/** @throws {SyntaxError} When the driver's text is not an integer. */
function wholeNumber(text: string | undefined): number | undefined {
  const trimmed = text?.trim();
  if (trimmed === undefined) return undefined;
  if (!/^-?\d{1,15}$/.test(trimmed)) {
    throw new SyntaxError(`Cannot parse number: ${quoteStart(trimmed, 80)}`);
  }
  return Number(trimmed);
}
