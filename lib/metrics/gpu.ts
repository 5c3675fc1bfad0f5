import type { Host } from "../host/host.ts";
import { type GpuCollector, type GpuDecision, listDrmGpus, NVIDIA_VENDOR } from "./gpu_devices.ts";
import { NvidiaGpuCollector } from "./nvidia_gpu.ts";
import { SysfsGpuCollector, type SysfsGpuHost } from "./sysfs_gpu.ts";

/** Use, memory and temperature of all graphics cards; its files are opened here, before the seal. */
export class GpuCollectors {
  readonly nvidia: NvidiaGpuCollector;
  /** One for each card that tells of itself, and one for NVIDIA's. */
  readonly collectors: readonly GpuCollector[];
  readonly #withoutMetrics: readonly (GpuDecision & { nvidia: boolean })[];

  constructor(host: SysfsGpuHost & Pick<Host, "roots" | "readText">) {
    const found = listDrmGpus(host);
    const cards = found.map((card) => new SysfsGpuCollector(host, card));
    this.nvidia = new NvidiaGpuCollector(host, found);
    this.collectors = [...cards.filter(({ hasMetrics: tells }) => tells), this.nvidia];
    this.#withoutMetrics = found.flatMap(({ name, folder, vendor }, index) => {
      const nvidia = vendor === NVIDIA_VENDOR;
      const rule = `nothing is told of it in ${folder}`;
      return cards[index]?.hasMetrics ? [] : [{ name, counted: false, rule, nvidia }];
    });
  }

  /** Whether each card is reported at present, and why. */
  decisions(): GpuDecision[] {
    const ofNvidia = this.nvidia.decisions();
    // NVIDIA's driver is silent in /sys, and the same card speaks elsewhere.
    const silent = this.#withoutMetrics.filter(({ nvidia }) => !nvidia || ofNvidia.length === 0);
    return [
      ...this.collectors.flatMap((collector) => collector.decisions()),
      ...silent.map(({ name, counted, rule }) => ({ name, counted, rule })),
    ];
  }
}
