import { assertEquals } from "@std/assert";
import type { InterfaceTraits } from "../../lib/host/host.ts";
import { readInterfaceTraits } from "../../lib/host/interface_traits.ts";
import { LocalHost } from "../../lib/host/local_host.ts";
import { same } from "../cases.ts";

/** What is told of an interface beside that something is not so. */
function told(traits: InterfaceTraits | undefined): InterfaceTraits | undefined {
  return traits && Object.fromEntries(Object.entries(traits).filter(([, value]) => value));
}

Deno.test("readInterfaceTraits() tells cards, bridges and taps of recorded machines", async () => {
  const of = (path: string) => {
    const [name = "", nic = ""] = path.split(" ");
    const root = new URL(`../fixtures/${name}/`, import.meta.url).pathname;
    const host = new LocalHost({ proc: `${root}proc`, sys: `${root}sys`, root });
    return told(readInterfaceTraits(host, nic));
  };
  await same(of, [
    ["bonded-server eno1np0", { hasDevice: true }],
    ["bonded-server bond0", { isStacked: true }],
    ["bonded-server bond0.100", { isStacked: true }],
    ["bonded-server lo", {}],
    ["proxmox eno1", { hasDevice: true }],
    ["proxmox vmbr0", { kind: "bridge", isStacked: true }],
    ["proxmox tap100i0", { kind: "tun" }],
    ["debian-vm eth0", { hasDevice: true }],
    ...["eth9", "", ".", "..", "../net/eth0"].map((nic) =>
      [`debian-vm ${nic}`, undefined] as const
    ),
  ]);
});

/** The traits of an interface that has these entries in its folder below sys, and these texts in files. */
function traitsOf(
  entries: readonly string[],
  { uevent, paths = [] }: { uevent?: string | undefined; paths?: readonly string[] } = {},
) {
  return told(readInterfaceTraits({
    roots: { proc: "/proc", sys: "/sys", root: "/" },
    list: () => [...entries],
    exists: (path: string): boolean => paths.includes(path),
    readText: () => uevent,
  }, "x"));
}

Deno.test("readInterfaceTraits() knows a part of an accelerated adapter, a switch's port and a bridge's", () => {
  assertEquals(traitsOf(["device"], { paths: ["/sys/class/net/x/master/device"] }), {
    ...{ hasDevice: true, isDeviceSlave: true },
  });
  assertEquals(traitsOf(["device"], { uevent: "DEVTYPE=dsa\n" }), {
    ...{ hasDevice: true, kind: "dsa" },
  });
  assertEquals(traitsOf(["brport"]), { isBridgePort: true });
});

Deno.test("readInterfaceTraits() knows the kind of interfaces of the kernel's own, whatever they are called", async () => {
  await same((type: string) => traitsOf([], { uevent: `DEVTYPE=${type}\nIFINDEX=4\n` }), [
    ...["wireguard", "vxlan", "vlan"].map((kind) => [kind, { kind, index: 4 }] as const),
    ["", { index: 4 }],
  ]);
  assertEquals(traitsOf([], { uevent: "INTERFACE=DEVTYPE=vxlan\nIFINDEX=4\n" }), { index: 4 });
  assertEquals(traitsOf(["tun_flags"]), { kind: "tun" });
});
