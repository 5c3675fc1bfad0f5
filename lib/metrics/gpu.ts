import type { Host } from "../host/host.ts";
import { AmdGpu } from "./amd_gpu.ts";
import type { Collector } from "./snapshot.ts";
import { AMD, listGpus, listNames, NVIDIA } from "./gpu_devices.ts";
import { NvidiaGpus } from "./nvidia_gpu.ts";

/** The subject of all cards, which the subject of each contains. */
export const GPU_SUBJECT = "graphics card";

/**
 * Interval between samples: a little less than 10 s, because reports 5 s or 10 s apart jitter.
 * Longer than the 5 s after which drivers suspend an idle card, because each sample counts as activity.
 */
export const GPU_POLL_MS = 9_500;

/** Collectors of all graphics cards; their files are opened here, before the process is sealed. */
export class GpuCollectors {
  readonly nvidia: NvidiaGpus;
  readonly #amd: readonly AmdGpu[];
  readonly #others: readonly { readonly name: string }[];

  constructor(host: Pick<Host, "roots" | "readText" | "list" | "open" | "exists">) {
    const found = listGpus(host);
    this.nvidia = new NvidiaGpus(host, found.filter(({ vendor }) => vendor === NVIDIA));
    this.#amd = found.filter(({ vendor }) => vendor === AMD).map((card) => new AmdGpu(host, card))
      .filter(({ hasMetrics }) => hasMetrics);
    const measured = new Set(this.#amd.map(({ folder }) => folder));
    this.#others = found.filter(({ folder, vendor }) => vendor !== NVIDIA && !measured.has(folder));
  }

  /** Their rows in the table of collectors: one per card of AMD, and one for all of NVIDIA. */
  rows(): Collector[] {
    return [...this.#amd, this.nvidia].map((cards) => ({
      subject: cards.subject,
      maxAgeMs: GPU_POLL_MS,
      collect: () => ({ gpus: cards.collect() }),
      sources: () => ({ gpu: "nvidia-smi, and amdgpu's files in /sys/class/drm" }),
    }));
  }

  /** Names of all cards once `nvidia-smi` has told its own; `undefined` before. */
  names(): string | undefined {
    const { names } = this.nvidia;
    const others = [...this.#amd, ...this.#others].map(({ name }) => name);
    return names.length === 0 ? undefined : listNames([...names, ...others]);
  }
}
