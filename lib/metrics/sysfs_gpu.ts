import type { Host, Source } from "../host/host.ts";
import { quoteStart } from "../parse/bounded_text.ts";
import type { Gpu } from "../types.ts";
import {
  type DrmGpu,
  GPU_POLL_MS,
  type GpuCollector,
  type GpuDecision,
  openPowerState,
} from "./gpu_devices.ts";

/** Parts of the host that a card needs. */
export type SysfsGpuHost = Pick<Host, "open" | "exists" | "list">;

const USE = "gpu_busy_percent";
const MEMORY_TOTAL = "mem_info_vram_total";
const MEMORY_USED = "mem_info_vram_used";

/**
 * Measures a card from its driver's files in `/sys`: `amdgpu` has utilization, memory and temperature,
 * `i915`, `xe` and `nouveau` the temperature at most.
 *
 * Of a suspended card only the power state is read, because everything else would wake it; its
 * utilization and memory are 0.
 */
export class SysfsGpuCollector implements GpuCollector {
  readonly subject: string;
  readonly #card: DrmGpu;
  readonly #isSuspended: () => boolean;
  readonly #thermometer: string | undefined;
  /** Those that the driver has, by their names below the device folder. */
  readonly #files = new Map<string, Source>();
  #sampledAtMs = -Infinity;
  #last: Gpu | undefined;
  #error: unknown;
  #memoryTotalBytes: number | undefined;

  constructor(host: SysfsGpuHost, card: DrmGpu) {
    this.subject = `graphics card ${card.name}`;
    this.#card = card;
    this.#isSuspended = openPowerState(host, card.folder);
    this.#thermometer = findTemperatureFile(host, card.folder);
    for (const name of [USE, MEMORY_TOTAL, MEMORY_USED, this.#thermometer]) {
      const path = `${card.folder}/${name}`;
      if (name !== undefined && host.exists(path)) this.#files.set(name, host.open(path));
    }
  }

  /** Whether the driver has any metrics of the card. */
  get hasMetrics(): boolean {
    return this.#files.size > 0;
  }

  collect(): readonly Gpu[] | undefined {
    const nowMs = performance.now();
    if (nowMs - this.#sampledAtMs >= GPU_POLL_MS) this.#sample(nowMs);
    if (this.#error !== undefined) throw this.#error;
    return this.#last === undefined ? undefined : [this.#last];
  }

  decisions(): GpuDecision[] {
    const { name, folder } = this.#card;
    const prefix = this.#last?.isSuspended
      ? "suspended: only power/runtime_status was read; otherwise "
      : "";
    const rule = `${prefix}${folder}: ${[...this.#files.keys()].join(", ")}`;
    return [{ name, counted: true, rule, gpu: this.#last }];
  }

  #sample(nowMs: number): void {
    this.#sampledAtMs = nowMs;
    try {
      this.#last = this.#isSuspended() ? this.#suspendedCard() : this.#readCard();
      this.#error = undefined;
    } catch (error) {
      this.#error = error;
    }
  }

  #suspendedCard(): Gpu {
    const total = this.#memoryTotalBytes;
    return {
      name: this.#card.name,
      isSuspended: true,
      usePercent: this.#files.has(USE) ? 0 : undefined,
      memory: total === undefined ? undefined : { totalBytes: total, usedBytes: 0 },
    };
  }

  /** Reads all files; an unreadable one is absent, but at least one must be readable. */
  #readCard(): Gpu {
    const failures: unknown[] = [];
    const read = (name = ""): number | undefined => {
      try {
        return wholeNumber(this.#files.get(name)?.read());
      } catch (error) {
        failures.push(error);
        return undefined;
      }
    };
    const use = read(USE);
    const total = read(MEMORY_TOTAL);
    const used = read(MEMORY_USED);
    const millidegrees = read(this.#thermometer);
    if (failures.length === this.#files.size) {
      throw new Error("Cannot read any file of the card", { cause: failures[0] });
    }
    const card: Gpu = { name: this.#card.name };
    // Some drivers return numbers out of range.
    if (use !== undefined && use >= 0 && use <= 100) card.usePercent = use;
    if (total !== undefined && total > 0) {
      this.#memoryTotalBytes = total;
      if (used !== undefined && used >= 0) {
        card.memory = { totalBytes: total, usedBytes: Math.min(used, total) };
      }
    }
    const celsius = (millidegrees ?? NaN) / 1000;
    if (celsius > -273 && celsius < 1000) card.temperatureCelsius = celsius;
    return card;
  }
}

/** The first temperature sensor of the card, usually the edge of the chip. */
function findTemperatureFile(host: Pick<Host, "list">, folder: string): string | undefined {
  for (const monitor of (host.list(`${folder}/hwmon`) ?? []).sort()) {
    const inputs = (host.list(`${folder}/hwmon/${monitor}`) ?? []).flatMap((name) =>
      /^temp(\d+)_input$/.exec(name)?.[1] ?? []
    );
    if (inputs.length > 0) return `hwmon/${monitor}/temp${Math.min(...inputs.map(Number))}_input`;
  }
  return undefined;
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
