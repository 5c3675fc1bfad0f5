import { assertEquals } from "@std/assert";
import { containerKind } from "../../lib/metrics/virtualization.ts";
import { fakeHost } from "./fake_host.ts";

const LXCFS = "lxcfs /proc/meminfo fuse.lxcfs rw,nosuid,nodev,relatime 0 0\n";

const ROWS: ReadonlyArray<readonly [string | undefined, Record<string, string>]> = [
  [undefined, {}],
  [undefined, { "/proc/1/environ": "HOME=/\0TERM=linux\0", "/proc/1/cgroup": "0::/init.scope\n" }],
  [undefined, { "/proc/1/ns/pid": "-> pid:[4026531836]" }],
  [undefined, { "/proc/vz/version": "", "/proc/bc/0": "" }],
  ["openvz", { "/proc/vz/version": "" }],
  ["wsl", { "/proc/sys/kernel/osrelease": "5.15.90.1-microsoft-standard-WSL2\n" }],
  ["wsl", { "/proc/sys/kernel/osrelease": "4.4.0-19041-Microsoft\n" }],
  [undefined, { "/proc/sys/kernel/osrelease": "6.5.0-1015-azure\n" }],
  ["podman", { "/run/.containerenv": "" }],
  ["docker", { "/.dockerenv": "" }],
  ["lxc", { "/run/systemd/container": "lxc\n" }],
  ["systemd-nspawn", { "/run/systemd/container": "systemd-nspawn\n", "/.dockerenv": "" }],
  ["lxc", { "/proc/1/environ": "HOME=/\0container=lxc\0" }],
  [undefined, { "/proc/1/environ": "HOME=/\0mycontainer=lxc\0container=\0" }],
  ["podman", { "/proc/1/environ": "container=oci\0", "/run/.containerenv": "" }],
  ["container-other", { "/proc/1/environ": "container=oci\0" }],
  ["docker", { "/proc/1/cgroup": "12:pids:/docker/0123abc\n" }],
  ["docker", { "/proc/1/cgroup": "0::/system.slice/docker-0123abc.scope\n" }],
  ["podman", { "/proc/1/cgroup": "0::/machine.slice/libpod-0123abc.scope\n" }],
  ["lxc", { "/proc/1/cgroup": "0::/lxc.payload.web/init.scope\n" }],
  ["container-other", { "/proc/1/cgroup": "0::/kubepods/besteffort/pod01\n" }],
  ["lxc", { "/proc/mounts": `proc /proc proc rw 0 0\n${LXCFS}` }],
  [undefined, { "/proc/mounts": "lxcfs /var/lib/lxcfs fuse.lxcfs rw 0 0\n" }],
  [undefined, { "/proc/mounts": LXCFS.replace("/proc/", "/host/proc/") }],
  ["container-other", { "/proc/1/ns/pid": "-> pid:[4026532198]" }],
  ["container-other", { "/proc/self/ns/pid": "-> pid:[4026532198]" }],
  [undefined, { "/proc/self/ns/pid": "-> pid:[4026531836]" }],
];

for (const [kind, files] of ROWS) {
  Deno.test(`containerKind() is ${kind} when there is ${JSON.stringify(files)}`, () => {
    assertEquals(containerKind(fakeHost(files)), kind);
  });
}

Deno.test("containerKind() describes the host when the roots are the host's", () => {
  const host = fakeHost({
    "/.dockerenv": "",
    "/host/proc/1/environ": "HOME=/\0",
    "/host/proc/self/ns/pid": "-> pid:[4026532198]",
  });
  const roots = { proc: "/host/proc", sys: "/sys", root: "/host/proc/1/root" };
  assertEquals(containerKind({ ...host, roots }), undefined);
});
