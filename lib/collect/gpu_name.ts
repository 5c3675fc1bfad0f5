import type { Host } from "../host/host.ts";
import { assignedValue } from "../parse/assigned_value.ts";
import { pciName } from "../parse/pci_ids.ts";

type Files = Pick<Host, "roots" | "readText" | "list">;

/** Makers of graphics processors, by their PCI vendor id. */
const VENDORS: Readonly<Record<string, string>> = {
  "1002": "AMD",
  "10de": "NVIDIA",
  "8086": "Intel",
  "1ed5": "Moore Threads",
  "0014": "Loongson",
  "1d17": "Zhaoxin",
};

/** Adapters of virtual machines and of servers' remote consoles, by vendor: they only draw a screen. */
const SCREEN_ONLY: ReadonlySet<string> = new Set([
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
 * The graphics processors, `NVIDIA GA102 [GeForce RTX 3090]`; `undefined` when there is none.
 *
 * Reads `/sys/class/drm` and NVIDIA's folder in `/proc`. Nothing is started, and no card is woken.
 */
export function gpuName(host: Files): string | undefined {
  const nvidia = nvidiaModels(host);
  const names = [...nvidia, ...drmNames(host, { withoutNvidia: nvidia.length > 0 })];
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const listed = [...counts].map(([name, count]) => count === 1 ? name : `${count}x ${name}`);
  return listed.length === 0 ? undefined : listed.join(", ");
}

/** NVIDIA's own driver knows the names that are on the box. */
function nvidiaModels(host: Files): string[] {
  const folder = `${host.roots.proc}/driver/nvidia/gpus`;
  return (host.list(folder) ?? []).sort().flatMap((slot) => {
    const text = host.readText(`${folder}/${slot}/information`) ?? "";
    return /^Model:\s*(\S.*\S)\s*$/m.exec(text)?.slice(1, 2) ?? [];
  });
}

function drmNames(host: Files, options: { withoutNvidia: boolean }): string[] {
  const folder = `${host.roots.sys}/class/drm`;
  const cards: string[] = [];
  // Display and renderer of a chip are two devices, but one graphics processor.
  const chips = new Set<string>();
  for (const name of (host.list(folder) ?? []).sort()) {
    if (!/^card\d+$/.test(name)) continue;
    const device = `${folder}/${name}/device`;
    const vendor = pciId(host.readText(`${device}/vendor`));
    if (vendor === undefined) {
      const chip = chipName(host.readText(`${device}/uevent`) ?? "");
      if (chip !== undefined) chips.add(chip);
    } else if (!SCREEN_ONLY.has(vendor) && !(options.withoutNvidia && vendor === "10de")) {
      const card = cardName(host, { vendor, device: pciId(host.readText(`${device}/device`)) });
      if (card !== undefined) cards.push(card);
    }
  }
  return [...cards, ...chips];
}

/** `0x10de` without its prefix. */
function pciId(text: string | undefined): string | undefined {
  return /^0x([0-9a-f]{4})$/.exec(text?.trim() ?? "")?.[1];
}

function chipName(uevent: string): string | undefined {
  const driver = assignedValue(uevent, "DRIVER");
  return driver === undefined ? undefined : CHIP_DRIVERS[driver];
}

function cardName(
  host: Files,
  id: { vendor: string; device: string | undefined },
): string | undefined {
  if (id.device === undefined) return VENDORS[id.vendor];
  const listed = listedName(host, { vendor: id.vendor, device: id.device });
  const vendor = VENDORS[id.vendor] ?? listed.vendor ?? "PCI";
  return `${vendor} ${listed.device ?? `${id.vendor}:${id.device}`}`;
}

function listedName(
  host: Files,
  id: { vendor: string; device: string },
): ReturnType<typeof pciName> {
  for (const path of PCI_IDS) {
    const list = host.readText(`${host.roots.root}/${path}`);
    if (list !== undefined) return pciName(list, id);
  }
  return { vendor: undefined, device: undefined };
}
