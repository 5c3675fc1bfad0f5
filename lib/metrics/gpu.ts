import type { Host } from "../host/host.ts";
import type { Collector } from "./collector.ts";
import { type GpuCollector, type GpuDecision, listDrmGpus, NVIDIA_VENDOR } from "./gpu_devices.ts";
import { NvidiaGpuCollector } from "./nvidia_gpu.ts";
import { SysfsGpuCollector, type SysfsGpuHost } from "./sysfs_gpu.ts";

/** The subject of all cards, which the subject of each contains. */
export const GPU_SUBJECT = "graphics card";

/** Collectors of all graphics cards; their files are opened here, before the process is sealed. */
export class GpuCollectors {
  readonly nvidia: NvidiaGpuCollector;
  /** One per card with metrics in `/sys`, and one for all NVIDIA cards. */
  readonly collectors: readonly GpuCollector[];
  readonly #withoutMetrics: readonly (GpuDecision & { nvidia: boolean })[];

  constructor(host: SysfsGpuHost & Pick<Host, "roots" | "readText">) {
    const found = listDrmGpus(host);
    const cards = found.map((card) => new SysfsGpuCollector(host, card));
    this.nvidia = new NvidiaGpuCollector(host, found);
    this.collectors = [...cards.filter(({ hasMetrics }) => hasMetrics), this.nvidia];
    this.#withoutMetrics = found.flatMap(({ name, folder, vendor }, index) => {
      const nvidia = vendor === NVIDIA_VENDOR;
      const rule = `no metrics in ${folder}`;
      return cards[index]?.hasMetrics ? [] : [{ name, counted: false, rule, nvidia }];
    });
  }

  /** Their rows in the table of collectors. */
  rows(): Collector[] {
    return this.collectors.map((cards) => ({
      subject: cards.subject,
      collect: () => ({ gpus: cards.collect() }),
      sources: () => ({}),
    }));
  }

  /** Decisions on all cards: whether each is reported, and from which source. */
  decisions(): GpuDecision[] {
    const ofNvidia = this.nvidia.decisions();
    // NVIDIA's driver has no metrics in /sys; nvidia-smi reports the same card.
    const silent = this.#withoutMetrics.filter(({ nvidia }) => !nvidia || ofNvidia.length === 0);
    return [
      ...this.collectors.flatMap((collector) => collector.decisions()),
      ...silent.map(({ name, counted, rule }) => ({ name, counted, rule })),
    ];
  }
}
