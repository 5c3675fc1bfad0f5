import { attempt } from "../attempt.ts";
import type { Host } from "../host/host.ts";
import { lookupVariable } from "../parse/os_release.ts";
import { lookupPciNames } from "../parse/pci_ids.ts";
import type { Gpu } from "../types.ts";

type GpuFiles = Pick<Host, "roots" | "readText" | "list">;

/** A graphics processor in `/sys/class/drm`. */
export interface DrmGpu {
  /** Vendor and model, as far as known. */
  name: string;
  /** Device folder in `/sys`. */
  folder: string;
  /** PCI vendor id; absent for GPUs that are part of a SoC. */
  vendor?: string;
}

/** PCI vendor id of NVIDIA. */
export const NVIDIA_VENDOR = "10de";

/** GPU vendors by PCI vendor id. */
const VENDORS: Readonly<Record<string, string>> = {
  "1002": "AMD",
  [NVIDIA_VENDOR]: "NVIDIA",
  "8086": "Intel",
  "1ed5": "Moore Threads",
  "0014": "Loongson",
  "1d17": "Zhaoxin",
};

/** Vendors of display adapters in virtual machines and BMCs, which have no GPU. */
const DISPLAY_ONLY: ReadonlySet<string> = new Set([
  "1013", // Cirrus, in QEMU
  "102b", // Matrox, in servers
  "1234", // Bochs, in QEMU
  "1414", // Hyper-V
  "15ad", // VMware
  "19e5", // Huawei, in servers
  "1a03", // ASPEED, in servers
  "1ab8", // Parallels
  "1af4", // virtio
  "1b36", // QXL, in QEMU
  "5853", // Xen
  "80ee", // VirtualBox
]);

/** GPUs that are part of a SoC, by kernel driver. */
const CHIP_DRIVERS: Readonly<Record<string, string>> = {
  "vc4-drm": "Broadcom VideoCore",
  "v3d": "Broadcom VideoCore",
  "lima": "ARM Mali",
  "panfrost": "ARM Mali",
  "panthor": "ARM Mali",
  "msm_dpu": "Qualcomm Adreno",
  "msm_mdp": "Qualcomm Adreno",
  "adreno": "Qualcomm Adreno",
  "etnaviv": "Vivante",
  "asahi": "Apple",
  "tegra-host1x": "NVIDIA Tegra",
};

/** Paths of `pci.ids` in the distributions. */
const PCI_IDS = ["usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids"] as const;

/**
 * Lists the GPUs in `/sys/class/drm`, those on the PCI bus first. A SoC counts once, although its
 * display and its renderer are two devices.
 *
 * Reads only cached attributes, which does not wake a suspended card.
 */
export function listDrmGpus(host: GpuFiles): DrmGpu[] {
  const folder = `${host.roots.sys}/class/drm`;
  let text: string | undefined;
  const readIds = () => text ??= readPciIds(host);
  const cards: DrmGpu[] = [];
  const chips = new Map<string, DrmGpu>();
  for (const entry of (host.list(folder) ?? []).sort()) {
    if (!/^card\d+$/.test(entry)) continue;
    const device = `${folder}/${entry}/device`;
    const vendor = pciId(host.readText(`${device}/vendor`));
    if (vendor === undefined) {
      const name = chipName(host.readText(`${device}/uevent`) ?? "");
      if (name !== undefined && !chips.has(name)) chips.set(name, { name, folder: device });
    } else if (!DISPLAY_ONLY.has(vendor)) {
      const name = pciName(vendor, pciId(host.readText(`${device}/device`)), readIds);
      if (name !== undefined) cards.push({ name, folder: device, vendor });
    }
  }
  return [...cards, ...chips.values()];
}

/**
 * Lists the cards of NVIDIA's driver in `/proc/driver/nvidia`, ordered by PCI slot: their device
 * folders in `/sys`, and their marketing names where the driver reports them.
 */
export function listNvidiaDriverGpus(host: GpuFiles): { folder: string; model?: string }[] {
  const { proc, sys } = host.roots;
  const list = `${proc}/driver/nvidia/gpus`;
  return (host.list(list) ?? []).sort().map((slot) => {
    const text = host.readText(`${list}/${slot}/information`) ?? "";
    // The open driver knows it once the card has been used.
    const model = /^Model:\s*(?!Unknown\s*$)(\S.*\S)\s*$/m.exec(text)?.[1];
    return { folder: `${sys}/bus/pci/devices/${slot}`, model };
  });
}

/** Strips the prefix of `0x10de`. */
function pciId(text: string | undefined): string | undefined {
  return /^0x([0-9a-f]{4})$/.exec(text?.trim() ?? "")?.[1];
}

function chipName(uevent: string): string | undefined {
  const driver = lookupVariable(uevent, "DRIVER");
  return driver === undefined ? undefined : CHIP_DRIVERS[driver];
}

function pciName(
  vendor: string,
  device: string | undefined,
  readIds: () => string,
): string | undefined {
  if (device === undefined) return VENDORS[vendor];
  const listed = lookupPciNames(readIds(), { vendor, device });
  const maker = VENDORS[vendor] ?? listed.vendor ?? "PCI";
  return `${maker} ${listed.device ?? `${vendor}:${device}`}`;
}

/** The text of `pci.ids`, over 1 MB; empty where there is none. */
function readPciIds(host: GpuFiles): string {
  for (const path of PCI_IDS) {
    const text = host.readText(`${host.roots.root}/${path}`);
    if (text !== undefined) return text;
  }
  return "";
}

/** Collector of one graphics card, or of all cards of one source. */
export interface GpuCollector {
  /** Name of the metric as in the report's message. */
  readonly subject: string;
  /**
   * Values of the last sample, which is taken every {@linkcode GPU_POLL_MS} at most.
   *
   * @throws {Error} When the last sample failed.
   */
  collect(): readonly Gpu[] | undefined;
  /** Decisions on the cards: whether each is reported, and from which source. */
  decisions(): readonly GpuDecision[];
}

/** Decision on a graphics card. */
export interface GpuDecision {
  readonly name: string;
  readonly counted: boolean;
  readonly rule: string;
  /** Values of the last sample, if the card is reported. */
  readonly gpu?: Gpu;
}

/**
 * Interval between samples: a little less than 10 s, because reports 5 s or 10 s apart jitter.
 * Longer than the 5 s after which drivers suspend an idle card, because each sample counts as activity.
 */
export const GPU_POLL_MS = 9_500;

/**
 * Names of all GPUs, such as `NVIDIA GA102 [GeForce RTX 3090]`; `undefined` when there is none.
 *
 * Reads `/sys/class/drm` and `/proc/driver/nvidia`; starts no program and wakes no card.
 */
export function gpuName(host: Pick<Host, "roots" | "readText" | "list">): string | undefined {
  // NVIDIA's driver knows the marketing names.
  const models = listNvidiaDriverGpus(host).flatMap(({ model }) => model ?? []);
  const others = listDrmGpus(host).filter(({ vendor }) =>
    models.length === 0 || vendor !== NVIDIA_VENDOR
  );
  return listNames([...models, ...others.map((card) => card.name)]);
}

/** The names with commas, as `2x NVIDIA L4` where there are several of one; `undefined` without any. */
export function listNames(names: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const listed = [...counts].map(([name, count]) => count === 1 ? name : `${count}x ${name}`);
  return listed.length === 0 ? undefined : listed.join(", ");
}

/**
 * Opens the runtime power state of a card, the one file that does not wake it; `folder` is its device
 * folder in `/sys`. Returns whether it is suspended: never for drivers without power management.
 */
export function openPowerState(host: Pick<Host, "open">, folder: string): () => boolean {
  const source = host.open(`${folder}/power/runtime_status`);
  return () => /^suspend(?:ed|ing)$/.test(attempt(() => source.read())?.trim() ?? "");
}
