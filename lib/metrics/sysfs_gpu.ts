import type { Host, Source } from "../host/host.ts";
import type { Gpu } from "../types.ts";
import {
  type DrmGpu,
  GPU_POLL_MS,
  type GpuCollector,
  type GpuDecision,
  GpuPowerState,
} from "./gpu_devices.ts";

/** What is opened of a card. */
export type SysfsGpuHost = Pick<Host, "open" | "exists" | "list" | "monotonicMs">;

interface Files {
  use?: Source;
  memoryTotal?: Source;
  memoryUsed?: Source;
  temperature?: Source;
}

/**
 * A card whose driver tells of it in `/sys`: `amdgpu` of use, memory and temperature, `i915`, `xe`
 * and `nouveau` of the temperature at most.
 *
 * While it sleeps nothing but its power state is read, for everything else would wake it. It does
 * nothing then, and its memory is empty.
 */
export class SysfsGpuCollector implements GpuCollector {
  readonly subject: string;
  readonly #card: DrmGpu;
  readonly #power: GpuPowerState;
  readonly #files: Files = {};
  readonly #names: string[] = [];
  readonly #monotonicMs: () => number;
  #sampledAtMs = -Infinity;
  #last: Gpu | undefined;
  #error: unknown;
  #memoryTotalBytes: number | undefined;

  constructor(host: SysfsGpuHost, card: DrmGpu) {
    this.subject = `graphics card ${card.name}`;
    this.#card = card;
    this.#monotonicMs = () => host.monotonicMs();
    this.#power = new GpuPowerState(host, card.folder);
    const thermometer = findTemperatureFile(host, card.folder);
    this.#open(host, "use", "gpu_busy_percent");
    this.#open(host, "memoryTotal", "mem_info_vram_total");
    this.#open(host, "memoryUsed", "mem_info_vram_used");
    if (thermometer !== undefined) this.#open(host, "temperature", thermometer);
  }

  /** Whether the driver tells more of it than its name; else there is nothing to collect. */
  get hasMetrics(): boolean {
    return this.#names.length > 0;
  }

  collect(): readonly Gpu[] | undefined {
    const nowMs = this.#monotonicMs();
    if (nowMs - this.#sampledAtMs >= GPU_POLL_MS) this.#sample(nowMs);
    if (this.#error !== undefined) throw this.#error;
    return this.#last === undefined ? undefined : [this.#last];
  }

  decisions(): GpuDecision[] {
    const { name, folder } = this.#card;
    const asleep = this.#last?.isSuspended
      ? "asleep, so only power/runtime_status was read; else "
      : "";
    const rule = `${asleep}${folder}: ${this.#names.join(", ")}`;
    return [{ name, counted: true, rule, ...(this.#last && { gpu: this.#last }) }];
  }

  #open(host: SysfsGpuHost, kind: keyof Files, path: string): void {
    const whole = `${this.#card.folder}/${path}`;
    if (!host.exists(whole)) return;
    this.#files[kind] = host.open(whole);
    this.#names.push(path);
  }

  #sample(nowMs: number): void {
    this.#sampledAtMs = nowMs;
    try {
      this.#last = this.#power.isSuspended() ? this.#suspendedCard() : this.#readCard();
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
      ...(this.#files.use !== undefined && { usePercent: 0 }),
      ...(total !== undefined && { memory: { totalBytes: total, usedBytes: 0 } }),
    };
  }

  /** What one file does not tell is absent; a card of which no file can be read is broken. */
  #readCard(): Gpu {
    const failures: unknown[] = [];
    const read = (source: Source | undefined): number | undefined => {
      if (source === undefined) return undefined;
      try {
        return wholeNumber(source.read());
      } catch (error) {
        failures.push(error);
        return undefined;
      }
    };
    const use = read(this.#files.use);
    const total = read(this.#files.memoryTotal);
    const used = read(this.#files.memoryUsed);
    const millidegrees = read(this.#files.temperature);
    if (failures.length === this.#names.length) {
      throw new Error("Cannot read any file of the card", { cause: failures[0] });
    }
    const card: Gpu = { name: this.#card.name };
    // Some drivers give a nonsense number instead of none.
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

/** The first thermometer of the card: on most the edge of the chip. */
function findTemperatureFile(host: Pick<Host, "list">, folder: string): string | undefined {
  for (const monitor of (host.list(`${folder}/hwmon`) ?? []).sort()) {
    const inputs = (host.list(`${folder}/hwmon/${monitor}`) ?? []).flatMap((name) =>
      /^temp(\d+)_input$/.exec(name)?.[1] ?? []
    );
    if (inputs.length > 0) return `hwmon/${monitor}/temp${Math.min(...inputs.map(Number))}_input`;
  }
  return undefined;
}

/** @throws {SyntaxError} When the driver's text is no whole number. */
function wholeNumber(text: string | undefined): number | undefined {
  const trimmed = text?.trim();
  if (trimmed === undefined) return undefined;
  if (!/^-?\d{1,15}$/.test(trimmed)) {
    throw new SyntaxError(`Cannot parse number: ${JSON.stringify(trimmed.slice(0, 80))}`);
  }
  return Number(trimmed);
}
