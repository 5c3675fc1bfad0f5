import { assertEquals } from "@std/assert";
import {
  type InterfaceTraits,
  NO_TRAITS,
  readInterfaceTraits,
  traitsOfLink,
} from "../../lib/host/interface_traits.ts";
import type { LinkKind } from "../../lib/host/host.ts";
import { LocalHost } from "../../lib/host/local_host.ts";
import { same } from "../cases.ts";

/** An interface of software, that is part of nothing. */
const SOFTWARE: LinkKind = {
  ...{ name: "x", kind: "veth", hasDevice: false },
  ...{ isLoopback: false, isStacked: false },
};

/** What differs from an interface of which nothing is known. */
function told(traits: InterfaceTraits | undefined): Partial<InterfaceTraits> | undefined {
  if (traits === undefined) return undefined;
  const known = Object.entries(traits).filter(([name, value]) =>
    value !== Reflect.get(NO_TRAITS, name)
  );
  return Object.fromEntries(known);
}

Deno.test("traitsOfLink() tells what an interface is, and what it is part of", async () => {
  await same((link: Partial<LinkKind>) => told(traitsOfLink({ ...SOFTWARE, ...link }, 7)), [
    [{}, { index: 7 }],
    [{ kind: undefined, hasDevice: true }, { device: true, index: 7 }],
    [{ kind: "bond" }, { bond: true, index: 7 }],
    [{ kind: "bridge" }, { bridge: true, index: 7 }],
    [{ master: "br0", masterKind: "bridge" }, { bridgePort: true, master: "br0", index: 7 }],
    [{ master: "bond0", masterKind: "bond" }, { bondSlave: true, master: "bond0", index: 7 }],
    [{ master: "eth0" }, { deviceSlave: true, master: "eth0", index: 7 }],
    [{ kind: "dsa" }, { switchPort: true, index: 7 }],
    [{ hasDevice: true, isStacked: true }, { device: true, switchPort: true, index: 7 }],
  ]);
});

Deno.test("readInterfaceTraits() tells bonds, bridges, their ports and taps of recorded machines", async () => {
  const of = (path: string) => {
    const [name = "", nic = ""] = path.split(" ");
    const root = new URL(`../fixtures/${name}/`, import.meta.url).pathname;
    const host = new LocalHost({ proc: `${root}proc`, sys: `${root}sys`, root });
    return told(readInterfaceTraits(host, nic));
  };
  await same(of, [
    ["bonded-server eno1np0", { device: true, bondSlave: true, master: "bond0" }],
    ["bonded-server bond0", { bond: true, stacked: true }],
    ["bonded-server bond0.100", { stacked: true }],
    ["bonded-server lo", {}],
    ["proxmox eno1", { device: true, master: "vmbr0" }],
    ["proxmox vmbr0", { bridge: true, stacked: true }],
    ["proxmox tap100i0", { tunnel: true, master: "fwbr100i0" }],
    ["debian-vm eth0", { device: true }],
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
    readLink: () => undefined,
    readText: () => uevent,
  }, "x"));
}

Deno.test("readInterfaceTraits() knows a part of an accelerated adapter, a switch's port and a bridge's", () => {
  assertEquals(traitsOf(["device"], { paths: ["/sys/class/net/x/master/device"] }), {
    ...{ device: true, deviceSlave: true },
  });
  assertEquals(traitsOf(["device"], { uevent: "DEVTYPE=dsa\n" }), {
    ...{ device: true, switchPort: true },
  });
  assertEquals(traitsOf(["brport"]), { bridgePort: true });
});

Deno.test("readInterfaceTraits() knows tunnels of the kernel's own by their type, whatever they are called", async () => {
  const tunnels = ["wireguard", "vxlan", "geneve", "bareudp", "gtp", "l2tpeth", "amt"];
  await same((type: string) => traitsOf([], { uevent: `DEVTYPE=${type}\nIFINDEX=4\n` }), [
    ...tunnels.map((type) => [type, { tunnel: true, index: 4 }] as const),
    ...["wlan", "bridge", "vlan", "hsr", "xwireguard", "wireguard2", ""].map((type) =>
      [type, { index: 4 }] as const
    ),
  ]);
  assertEquals(traitsOf([], { uevent: "INTERFACE=DEVTYPE=vxlan\nIFINDEX=4\n" }), { index: 4 });
  assertEquals(traitsOf(["tun_flags"]), { tunnel: true });
});
