import { assertEquals } from "@std/assert";
import { osName } from "../../lib/metrics/machine_facts.ts";
import { fakeHost } from "./fake_host.ts";

const DEBIAN = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
`;
const PACKAGES = `Package: pve-docs
Version: 8.4.0

Package: pve-manager
Status: install ok installed
Depends: perl
Version: 8.4.1~rc1

Package: zsh
Version: 5.9-4
`;

function nameOf(files: Record<string, string>): string | undefined {
  return osName(fakeHost(files));
}

Deno.test("osName() gives the pretty name of os-release", () => {
  assertEquals(nameOf({ "/etc/os-release": DEBIAN }), "Debian GNU/Linux 12 (bookworm)");
  assertEquals(nameOf({ "/usr/lib/os-release": DEBIAN }), "Debian GNU/Linux 12 (bookworm)");
});

Deno.test("osName() prefers the administrator's file to the distribution's", () => {
  const both = { "/etc/os-release": "PRETTY_NAME=Ours\n", "/usr/lib/os-release": DEBIAN };
  assertEquals(nameOf(both), "Ours");
});

Deno.test("osName() puts name and version together when there is no pretty name", () => {
  assertEquals(nameOf({ "/etc/os-release": "NAME=Void\nVERSION=1\n" }), "Void 1");
  assertEquals(nameOf({ "/etc/os-release": "NAME=Void\n" }), "Void");
});

Deno.test("osName() gives nothing when there is no os-release or nothing in it", () => {
  assertEquals(nameOf({}), undefined);
  assertEquals(nameOf({ "/etc/os-release": "ID=x\n" }), undefined);
});

Deno.test("osName() gives the kernel's kind when the system has no name", () => {
  assertEquals(nameOf({ "/proc/sys/kernel/ostype": "Linux\n" }), "Linux");
  const nameless = { "/etc/os-release": "ID=x\n", "/proc/sys/kernel/ostype": "Linux\n" };
  assertEquals(nameOf(nameless), "Linux");
});

const QUOTED: ReadonlyArray<readonly [string, string]> = [
  [`PRETTY_NAME=Alpine`, "Alpine"],
  [`PRETTY_NAME='Alpine Linux v3.20'`, "Alpine Linux v3.20"],
  [`PRETTY_NAME="openSUSE \\"Tumbleweed\\""`, `openSUSE "Tumbleweed"`],
  [`  PRETTY_NAME="Arch Linux"\r`, "Arch Linux"],
  [`PRETTY_NAME="Debian GNU/Linux`, "Debian GNU/Linux"],
  [`#PRETTY_NAME="Old"\nPRETTY_NAME="New"`, "New"],
  [`PRETTY_NAME=""\nNAME="Void"`, "Void"],
  [`PRETTY_NAME_2="Other"\nNAME=Void`, "Void"],
];

for (const [text, name] of QUOTED) {
  Deno.test(`osName() is ${name} when os-release has ${JSON.stringify(text)}`, () => {
    assertEquals(nameOf({ "/etc/os-release": `${text}\n` }), name);
  });
}

Deno.test("osName() knows Proxmox VE by its package", () => {
  const files = {
    "/etc/os-release": DEBIAN,
    "/usr/bin/pveversion": "",
    "/var/lib/dpkg/status": PACKAGES,
  };
  assertEquals(nameOf(files), "Proxmox VE 8.4.1 (bookworm)");
  assertEquals(nameOf({ "/usr/bin/pveversion": "" }), "Proxmox VE");
});

Deno.test("osName() knows Synology DSM by its model and version", () => {
  const info = 'company_title="Synology"\nupnpmodelname="DS920+"\n';
  const version = 'majorversion="7"\nminorversion="2"\nproductversion="7.2"\n';
  const files = { "/etc/synoinfo.conf": info, "/etc.defaults/VERSION": version };
  assertEquals(nameOf(files), "Synology DS920+ DSM 7.2");
  assertEquals(nameOf({ "/etc.defaults/synoinfo.conf": "" }), "Synology DSM");
});

Deno.test("osName() knows fnOS by its version", () => {
  const files = { "/etc/os-release": DEBIAN, "/usr/trim/etc/version": "1.1.11\n" };
  assertEquals(nameOf(files), "fnOS 1.1.11");
  const other = { "/etc/os-release": DEBIAN, "/usr/trim/etc/version": "<html>\n" };
  assertEquals(nameOf(other), "Debian GNU/Linux 12 (bookworm)");
});

Deno.test("osName() knows Android by its properties", () => {
  const release = "ro.build.version.release=14\n";
  const device = "ro.product.system.brand=google\nro.product.model=Pixel 7\n";
  assertEquals(nameOf({ "/system/build.prop": release + device }), "Android 14 (google Pixel 7)");
  assertEquals(nameOf({ "/system/build.prop": release }), "Android 14");
  assertEquals(nameOf({ "/system/build.prop": "" }), undefined);
});

Deno.test("osName() reads below the root that it is given", () => {
  const host = fakeHost({
    "/etc/os-release": DEBIAN,
    "/host/proc/1/root/etc/os-release": "NAME=Host\n",
  });
  const roots = { proc: "/host/proc", sys: "/sys", root: "/host/proc/1/root" };
  assertEquals(osName({ ...host, roots }), "Host");
});
