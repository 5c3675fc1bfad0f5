import type { Host } from "../host/host.ts";
import {
  type CardVerdict,
  drmCards,
  type GraphicsCollector,
  NVIDIA_VENDOR,
} from "./gpu_devices.ts";
import { NvidiaCards } from "./nvidia_gpu.ts";
import { DriverCard, type DriverCardHost } from "./sysfs_gpu.ts";

/** Use, memory and temperature of all graphics cards; its files are opened here, before the seal. */
export class GpuUse {
  readonly nvidia: NvidiaCards;
  /** One for each card that tells of itself, and one for NVIDIA's. */
  readonly collectors: readonly GraphicsCollector[];
  readonly #silent: readonly (CardVerdict & { nvidia: boolean })[];

  constructor(host: DriverCardHost & Pick<Host, "roots" | "readText">) {
    const found = drmCards(host);
    const cards = found.map((card) => new DriverCard(host, card));
    this.nvidia = new NvidiaCards(host, found);
    this.collectors = [...cards.filter(({ tells }) => tells), this.nvidia];
    this.#silent = found.flatMap(({ name, folder, vendor }, index) => {
      const nvidia = vendor === NVIDIA_VENDOR;
      const rule = `nothing is told of it in ${folder}`;
      return cards[index]?.tells ? [] : [{ name, counted: false, rule, nvidia }];
    });
  }

  /** Whether each card is reported at present, and why. */
  verdicts(): CardVerdict[] {
    const ofNvidia = this.nvidia.verdicts();
    // NVIDIA's driver is silent in /sys, and the same card speaks elsewhere.
    const silent = this.#silent.filter(({ nvidia }) => !nvidia || ofNvidia.length === 0);
    return [
      ...this.collectors.flatMap((collector) => collector.verdicts()),
      ...silent.map(({ name, counted, rule }) => ({ name, counted, rule })),
    ];
  }
}
