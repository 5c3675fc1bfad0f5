import type { Host } from "../host/host.ts";
import { assignedValue } from "../parse/assigned_value.ts";

type Files = Pick<Host, "roots" | "readText" | "exists">;

/** Systems that users know by another name than that of the distribution below them. */
const SPECIAL_SYSTEMS: ReadonlyArray<(host: Files) => string | undefined> = [
  proxmox,
  synology,
  fnos,
  android,
];

/**
 * What the system calls itself: `PRETTY_NAME` of `etc/os-release`, or its own name where it is a
 * special one; `Linux` where it has no name.
 */
export function osName(host: Files): string | undefined {
  for (const name of SPECIAL_SYSTEMS) {
    const special = name(host);
    if (special !== undefined) return special;
  }
  const release = osRelease(host);
  const name = assignedValue(release, "NAME");
  const version = assignedValue(release, "VERSION");
  // What has no such file, as a container of one program, is still of the kernel's kind.
  return assignedValue(release, "PRETTY_NAME") ?? (name && joined(name, version)) ??
    (host.readText(`${host.roots.proc}/sys/kernel/ostype`)?.trim() || undefined);
}

function osRelease(host: Files): string {
  const { root } = host.roots;
  return host.readText(`${root}/etc/os-release`) ??
    host.readText(`${root}/usr/lib/os-release`) ?? "";
}

/** `Proxmox VE 8.4.1 (bookworm)`: the version is that of its package. */
function proxmox(host: Files): string | undefined {
  const { root } = host.roots;
  if (!host.exists(`${root}/usr/bin/pveversion`)) return undefined;
  const packages = host.readText(`${root}/var/lib/dpkg/status`) ?? "";
  const start = packages.indexOf("Package: pve-manager\n");
  const end = packages.indexOf("\n\n", start);
  const section = start === -1 ? "" : packages.slice(start, end === -1 ? undefined : end);
  const version = /^Version: ([^\s~]+)/m.exec(section)?.[1];
  const codename = assignedValue(osRelease(host), "VERSION_CODENAME");
  return joined("Proxmox VE", version, codename && `(${codename})`);
}

/** `Synology DS920+ DSM 7.2`. */
function synology(host: Files): string | undefined {
  const { root } = host.roots;
  const info = host.readText(`${root}/etc/synoinfo.conf`) ??
    host.readText(`${root}/etc.defaults/synoinfo.conf`);
  if (info === undefined) return undefined;
  const version = host.readText(`${root}/etc.defaults/VERSION`) ?? "";
  return joined(
    "Synology",
    assignedValue(info, "upnpmodelname"),
    "DSM",
    assignedValue(version, "productversion"),
  );
}

/** `fnOS 1.1.11`; below it is a Debian that does not say so. */
function fnos(host: Files): string | undefined {
  const version = host.readText(`${host.roots.root}/usr/trim/etc/version`)?.trim();
  return version !== undefined && /^\d[\w.]*$/.test(version) ? `fnOS ${version}` : undefined;
}

/** `Android 14 (brand model)`. */
function android(host: Files): string | undefined {
  const properties = host.readText(`${host.roots.root}/system/build.prop`);
  const version = properties && assignedValue(properties, "ro.build.version.release");
  if (!version) return undefined;
  const product = (name: string): string | undefined =>
    assignedValue(properties, `ro.product.${name}`) ??
      assignedValue(properties, `ro.product.system.${name}`);
  const device = joined(product("brand"), product("model"));
  return joined("Android", version, device && `(${device})`);
}

function joined(...words: (string | undefined)[]): string {
  return words.filter(Boolean).join(" ");
}
