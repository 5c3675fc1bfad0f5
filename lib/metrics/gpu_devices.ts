import { attempt } from "../attempt.ts";
import type { Host } from "../host/host.ts";
import { lookupPciNames } from "../parse/pci_ids.ts";

/** A graphics card in `/sys/class/drm`. */
export interface GpuDevice {
  /** Vendor and model, as far as known. */
  name: string;
  /** Device folder in `/sys`. */
  folder: string;
  /** PCI vendor id. */
  vendor: string;
}

/** PCI vendor ids. */
export const NVIDIA = "10de";
export const AMD = "1002";

/** Shorter names than those of `pci.ids`. */
const VENDORS: Readonly<Record<string, string>> = {
  [AMD]: "AMD",
  [NVIDIA]: "NVIDIA",
  "8086": "Intel",
};

/**
 * Vendors of display adapters without a GPU: in servers Matrox, Huawei and ASPEED; in virtual machines
 * Cirrus, Bochs, Hyper-V, VMware, Parallels, virtio, QXL, Xen and VirtualBox.
 */
const DISPLAY_ONLY: ReadonlySet<string> = new Set([
  ...["102b", "19e5", "1a03"],
  ...["1013", "1234", "1414", "15ad", "1ab8", "1af4", "1b36", "5853", "80ee"],
]);

/** Paths of `pci.ids` in the distributions. */
const PCI_IDS = ["usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids"] as const;

/**
 * Lists the graphics cards in `/sys/class/drm` by their numbers, with their names in `pci.ids`.
 *
 * Reads only cached attributes, which does not wake a suspended card.
 */
export function listGpus(host: Pick<Host, "roots" | "readText" | "list">): GpuDevice[] {
  const folder = `${host.roots.sys}/class/drm`;
  // It has over 1 MB, and is read if there is a card.
  let ids: string | undefined;
  const readIds = () =>
    ids ??= PCI_IDS.map((path) => host.readText(`${host.roots.root}/${path}`))
      .find((text) => text !== undefined) ?? "";
  return (host.list(folder) ?? []).filter((entry) => /^card\d+$/.test(entry)).sort()
    .flatMap((entry) => {
      const card = `${folder}/${entry}/device`;
      const [vendor, device] = ["vendor", "device"].map((name) =>
        /^0x([0-9a-f]{4})$/.exec(host.readText(`${card}/${name}`)?.trim() ?? "")?.[1]
      );
      if (vendor === undefined || device === undefined || DISPLAY_ONLY.has(vendor)) return [];
      const listed = lookupPciNames(readIds(), { vendor, device });
      const maker = VENDORS[vendor] ?? listed.vendor ?? "PCI";
      const name = `${maker} ${listed.device ?? `${vendor}:${device}`}`;
      return [{ name, folder: card, vendor }];
    });
}

/** The names with commas, as `2x NVIDIA L4` where there are several of one; `undefined` without any. */
export function listNames(names: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const listed = [...counts].map(([name, count]) => count === 1 ? name : `${count}x ${name}`);
  return listed.length === 0 ? undefined : listed.join(", ");
}

/**
 * Opens the runtime power state of a card, the one file that does not wake it. Returns whether it is
 * suspended: never for drivers without power management.
 */
export function openPowerState(host: Pick<Host, "open">, { folder }: GpuDevice): () => boolean {
  const source = host.open(`${folder}/power/runtime_status`);
  return () => /^suspend(?:ed|ing)$/.test(attempt(() => source.read())?.trim() ?? "");
}
