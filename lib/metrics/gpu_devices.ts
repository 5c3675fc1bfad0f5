import type { Host } from "../host/host.ts";
import { lookupVariable } from "../parse/os_release.ts";
import { lookupPciNames } from "../parse/pci_ids.ts";
import type { Gpu } from "../types.ts";

type GpuFiles = Pick<Host, "roots" | "readText" | "list">;

/** A graphics processor that `/sys/class/drm` lists. */
export interface DrmGpu {
  /** Maker and model, as far as they are known. */
  name: string;
  /** Its folder in `/sys`, of which all that the driver tells lies below. */
  folder: string;
  /** PCI id of its maker; absent for what is part of a chip and on no bus. */
  vendor?: string;
}

/** A card that NVIDIA's own driver has taken. */
export interface NvidiaDriverGpu {
  /** Its folder in `/sys`. */
  folder: string;
  /** The name that is on the box; absent when the driver does not tell. */
  model?: string;
}

/** PCI id of NVIDIA as a maker. */
export const NVIDIA_VENDOR = "10de";

/** Makers of graphics processors, by their PCI vendor id. */
const VENDORS: Readonly<Record<string, string>> = {
  "1002": "AMD",
  [NVIDIA_VENDOR]: "NVIDIA",
  "8086": "Intel",
  "1ed5": "Moore Threads",
  "0014": "Loongson",
  "1d17": "Zhaoxin",
};

/** Adapters of virtual machines and of servers' remote consoles, by vendor: they only draw a screen. */
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

/** Graphics processors that are part of a chip and on no bus, by their kernel driver. */
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

/** Where distributions keep the list of PCI ids. */
const PCI_IDS = ["usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids"] as const;

/**
 * The graphics processors in `/sys/class/drm`, those on the PCI bus first. A chip counts once,
 * though its display and its renderer are two devices.
 *
 * Reads only what the kernel knows by heart; no card is woken.
 */
export function listDrmGpus(host: GpuFiles): DrmGpu[] {
  const folder = `${host.roots.sys}/class/drm`;
  const ids = new PciDatabase(host);
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
      const name = ids.nameOf(vendor, pciId(host.readText(`${device}/device`)));
      if (name !== undefined) cards.push({ name, folder: device, vendor });
    }
  }
  return [...cards, ...chips.values()];
}

/** The cards that NVIDIA's driver lists in `/proc`, in the order of their slots. */
export function listNvidiaDriverGpus(host: GpuFiles): NvidiaDriverGpu[] {
  const { proc, sys } = host.roots;
  const list = `${proc}/driver/nvidia/gpus`;
  return (host.list(list) ?? []).sort().map((slot) => {
    const text = host.readText(`${list}/${slot}/information`) ?? "";
    const model = /^Model:\s*(\S.*\S)\s*$/m.exec(text)?.[1];
    return {
      folder: `${sys}/bus/pci/devices/${slot}`,
      ...(model !== undefined && { model }),
    };
  });
}

/** `0x10de` without its prefix. */
function pciId(text: string | undefined): string | undefined {
  return /^0x([0-9a-f]{4})$/.exec(text?.trim() ?? "")?.[1];
}

function chipName(uevent: string): string | undefined {
  const driver = lookupVariable(uevent, "DRIVER");
  return driver === undefined ? undefined : CHIP_DRIVERS[driver];
}

/** The list of PCI ids, which is long: it is read when it is first needed, and once. */
class PciDatabase {
  readonly #host: GpuFiles;
  #text: string | undefined;

  constructor(host: GpuFiles) {
    this.#host = host;
  }

  nameOf(vendor: string, device: string | undefined): string | undefined {
    if (device === undefined) return VENDORS[vendor];
    this.#text ??= this.#read();
    const listed = lookupPciNames(this.#text, { vendor, device });
    const maker = VENDORS[vendor] ?? listed.vendor ?? "PCI";
    return `${maker} ${listed.device ?? `${vendor}:${device}`}`;
  }

  #read(): string {
    for (const path of PCI_IDS) {
      const text = this.#host.readText(`${this.#host.roots.root}/${path}`);
      if (text !== undefined) return text;
    }
    return "";
  }
}

/** What measures one graphics card, or all that one source tells of. */
export interface GpuCollector {
  /** What it measures, in words fit for the public. */
  readonly subject: string;
  /**
   * What was found at the last look, which is repeated every {@linkcode GPU_POLL_MS} at most.
   *
   * @throws {Error} When that look failed.
   */
  collect(): readonly Gpu[] | undefined;
  /** Whether each card is reported, and from which source. */
  decisions(): readonly GpuDecision[];
}

/** A card and why it is reported or not. */
export interface GpuDecision {
  readonly name: string;
  readonly counted: boolean;
  readonly rule: string;
  /** What was found at the last look, where it is reported. */
  readonly gpu?: Gpu;
}

/**
 * Time between two looks: 10 s, and a little less, since reports that are 5 s or 10 s apart are
 * never so to the millisecond. Longer than the 5 s after which a driver lets an idle card sleep, for
 * each look counts as work.
 */
export const GPU_POLL_MS = 9_500;

/**
 * The graphics processors, `NVIDIA GA102 [GeForce RTX 3090]`; `undefined` when there is none.
 *
 * Reads `/sys/class/drm` and NVIDIA's folder in `/proc`. Nothing is started, and no card is woken.
 */
export function gpuName(host: Pick<Host, "roots" | "readText" | "list">): string | undefined {
  // NVIDIA's own driver knows the names that are on the box.
  const models = listNvidiaDriverGpus(host).flatMap(({ model }) => model ?? []);
  const others = listDrmGpus(host).filter(({ vendor }) =>
    models.length === 0 || vendor !== NVIDIA_VENDOR
  );
  const counts = new Map<string, number>();
  for (const name of [...models, ...others.map((card) => card.name)]) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const listed = [...counts].map(([name, count]) => count === 1 ? name : `${count}x ${name}`);
  return listed.length === 0 ? undefined : listed.join(", ");
}

/** Tells whether a card sleeps, from the one file that does not wake it. */
export class GpuPowerState {
  readonly #status: ReturnType<Host["open"]>;

  /** `folder` is the card's in `/sys`. */
  constructor(host: Pick<Host, "open">, folder: string) {
    this.#status = host.open(`${folder}/power/runtime_status`);
  }

  /** A card whose driver does not tell is awake. */
  isSuspended(): boolean {
    let status: string | undefined;
    try {
      status = this.#status.read()?.trim();
    } catch {
      return false;
    }
    return status === "suspended" || status === "suspending";
  }
}
