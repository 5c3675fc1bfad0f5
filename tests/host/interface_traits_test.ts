import { assertEquals } from "@std/assert";
import {
  isTunnelType,
  NO_TRAITS,
  readInterfaceTraits,
  traitsOfLink,
} from "../../lib/host/interface_traits.ts";
import { LocalHost } from "../../lib/host/local_host.ts";

/** A host whose interface has these entries below sys, and whose files have these texts by their last names. */
function hostOf(entries: readonly string[], texts: Record<string, string | undefined> = {}) {
  return {
    roots: { proc: "/proc", sys: "/sys", root: "/" },
    list: () => [...entries],
    exists: (_path: string): boolean => false,
    readLink: () => undefined,
    readText: (path: string) => texts[path.split("/").at(-1) ?? ""],
  };
}

function machine(name: string): LocalHost {
  const root = new URL(`../fixtures/${name}/`, import.meta.url).pathname;
  return new LocalHost({ proc: `${root}proc`, sys: `${root}sys`, root });
}

Deno.test("traitsOfLink() tells of software's interfaces what their files would tell", () => {
  const is = { name: "v", isLoopback: false, isStacked: false, isMonitor: false };
  assertEquals(traitsOfLink({ kind: "veth", ...is }, 7), { ...NO_TRAITS, index: 7 });
  assertEquals(traitsOfLink({ kind: "veth", master: "br0", memberKind: "bridge", ...is }, 7), {
    ...NO_TRAITS,
    bridgePort: true,
    master: "br0",
    index: 7,
  });
  assertEquals(traitsOfLink({ kind: "veth", master: "bond0", memberKind: "bond", ...is }, 7), {
    ...NO_TRAITS,
    bondSlave: true,
    master: "bond0",
    index: 7,
  });
  assertEquals(traitsOfLink({ kind: "bond", ...is }, 7)?.bond, true);
  assertEquals(traitsOfLink({ kind: "bridge", ...is }, 7)?.bridge, true);
});

Deno.test("traitsOfLink() leaves to the files what may have a device, or is part of an unknown thing", () => {
  const is = { name: "v", isLoopback: false, isStacked: false, isMonitor: false };
  const links = [
    { ...is },
    { kind: "dsa", ...is },
    { kind: "ipoib", ...is },
    { kind: "veth", master: "br0", ...is },
    { kind: "veth", master: "", memberKind: "bridge", ...is },
  ];
  for (const link of links) assertEquals(traitsOfLink(link, 7), undefined, JSON.stringify(link));
});

Deno.test("readInterfaceTraits() tells a bond, its slaves and the VLAN over it apart", () => {
  const host = machine("bonded-server");
  assertEquals(readInterfaceTraits(host, "eno1np0"), {
    ...NO_TRAITS,
    device: true,
    bondSlave: true,
    master: "bond0",
  });
  assertEquals(readInterfaceTraits(host, "bond0"), { ...NO_TRAITS, bond: true, stacked: true });
  assertEquals(readInterfaceTraits(host, "bond0.100"), { ...NO_TRAITS, stacked: true });
  assertEquals(readInterfaceTraits(host, "lo"), NO_TRAITS);
});

Deno.test("readInterfaceTraits() knows bridges, their ports and taps", () => {
  const host = machine("proxmox");
  assertEquals(readInterfaceTraits(host, "eno1"), { ...NO_TRAITS, device: true, master: "vmbr0" });
  assertEquals(readInterfaceTraits(host, "vmbr0"), { ...NO_TRAITS, bridge: true, stacked: true });
  assertEquals(readInterfaceTraits(host, "tap100i0"), {
    ...NO_TRAITS,
    tunnel: true,
    master: "fwbr100i0",
  });
});

Deno.test("readInterfaceTraits() sees what another interface counts already", () => {
  const paths = new Set(["/sys/class/net/lan1/lower_eth0/dsa", "/sys/class/net/vf0/master/device"]);
  const exists = (path: string) => paths.has(path);
  const host = { ...hostOf(["device", "lower_eth0"]), exists };
  assertEquals(readInterfaceTraits(host, "lan1")?.switchPort, true);
  assertEquals(readInterfaceTraits(host, "lan1")?.deviceSlave, false);
  assertEquals(readInterfaceTraits(host, "vf0")?.deviceSlave, true);
});

Deno.test("readInterfaceTraits() knows a switch's port of an older kernel, and a monitor of a radio, by their types", () => {
  const table = [
    [["device"], "dsa", "1", true, false],
    [["device"], "wlan", "1", false, false],
    [["device"], "wlan", "801", false, true],
    [["device"], "wlan", "803", false, true],
    [["device"], "wlan", "804", false, false],
    [[], "wlan", "803", false, false],
  ] as const;
  for (const [entries, devtype, type, switchPort, monitor] of table) {
    const texts = { uevent: `DEVTYPE=${devtype}\n`, type: `${type}\n` };
    const traits = readInterfaceTraits(hostOf(entries, texts), "x");
    assertEquals(
      [traits?.switchPort, traits?.monitor],
      [switchPort, monitor],
      `${devtype} ${type}`,
    );
  }
});

Deno.test("readInterfaceTraits() knows representors of a card's functions by their ports", () => {
  const representor = (port: string | undefined, entries = ["device"]) =>
    readInterfaceTraits(hostOf(entries, { phys_port_name: port }), "eth1")?.representor;
  for (const port of ["pf0", "pf0vf1", "pf1sf88", "c1pf0vf12", "pf0hpf"]) {
    assertEquals(representor(`${port}\n`), true, port);
    assertEquals(representor(`${port}\n`, []), false, port);
  }
  for (const port of ["p0", "p0s1", "", "swp1", "pf", "p0vf1", undefined]) {
    assertEquals(representor(port), false, port);
  }
});

Deno.test("readInterfaceTraits() counts the sessions that may carry a PPP link, and knows the port of its program", () => {
  const session = "00000C00 52:54:00:12:34:56     eth0\n";
  const pppoe = `Id       Address              Device\n${session}${session}`;
  const pppol2tp = "PPPoL2TP driver info, V2.0\nTUNNEL 'tunl 1', Y 2 \n" +
    "  SESSION 'sess 1/1' 0A000001/1701 0001/0001 -> 0001/0001 00000000 1\n   interface ppp0\n";
  const pid = { "ppp0.pid": "7\n" };
  const on = (terminal: number, name = "pppd") => `7 (${name}) S 1 7 7 ${terminal} 7 4194624 151`;
  const table = [
    [{}, 0, false],
    [{ pppoe: pppoe.split("\n")[0] + "\n" }, 0, false],
    [{ pppoe, pppol2tp }, 3, false],
    // Controlled by ttyS0, ttyUSB1, no terminal, tty1, a pseudo terminal.
    [{ ...pid, stat: on(0x440) }, 0, true],
    [{ ...pid, stat: on(188 << 8 | 1), pppoe }, 2, true],
    [{ ...pid, stat: on(0) }, 0, false],
    [{ ...pid, stat: on(0x401) }, 0, false],
    [{ ...pid, stat: on(137 << 8) }, 0, false],
    // Told to use a port, whatever controls it.
    [{ ...pid, stat: on(0), cmdline: "pppd\0lock\0ttyUSB3\0" }, 0, true],
    [{ ...pid, stat: on(137 << 8), cmdline: "pppd\0/dev/rfcomm0\0" }, 0, true],
    [{ ...pid, stat: on(0), cmdline: "pppd\0pty\0sstpc vpn\0notty\0" }, 0, false],
    // Not this program any more.
    [{ ...pid, stat: on(0x440, "bash"), cmdline: "bash\0/dev/ttyS0\0" }, 0, false],
    [{ "ppp0.pid": "\n", stat: on(0x440) }, 0, false],
    [{ "ppp0.pid": "../7\n", stat: on(0x440) }, 0, false],
  ] as const;
  for (const [texts, sessions, serial] of table) {
    const host = hostOf(["uevent"], { uevent: "DEVTYPE=ppp\n", ...texts });
    assertEquals(readInterfaceTraits(host, "ppp0")?.ppp, { sessions, serial });
    // The numbers of another machine's processes are others.
    const other = { ...host, roots: { ...host.roots, proc: "/host/proc" } };
    assertEquals(readInterfaceTraits(other, "ppp0")?.ppp?.serial, false);
  }
});

Deno.test("readInterfaceTraits() knows tunnels of the kernel's own by their type, whatever they are called", () => {
  const table = [
    ["DEVTYPE=wireguard\nINTERFACE=home\nIFINDEX=4\n", true],
    ["DEVTYPE=vxlan\nINTERFACE=home\nIFINDEX=4\n", true],
    ["DEVTYPE=wlan\nINTERFACE=home\nIFINDEX=4\n", false],
    ["INTERFACE=DEVTYPE=vxlan\nIFINDEX=4\n", false],
    ["", false],
    [undefined, false],
  ] as const;
  for (const [uevent, tunnel] of table) {
    const host = hostOf(["uevent"], { uevent });
    assertEquals(readInterfaceTraits(host, "home")?.tunnel, tunnel, uevent);
    assertEquals(readInterfaceTraits(host, "home")?.index, uevent ? 4 : undefined, uevent);
  }
});

Deno.test("readInterfaceTraits() knows nothing of interfaces that are not in sys", () => {
  const host = machine("debian-vm");
  assertEquals(readInterfaceTraits(host, "eth0"), { ...NO_TRAITS, device: true });
  for (const name of ["eth9", "", ".", "..", "../net/eth0"]) {
    assertEquals(readInterfaceTraits(host, name), undefined, name);
  }
});

Deno.test("readInterfaceTraits() asks the other machine's /proc about bonds and VLANs", () => {
  const net = "/host/proc/1/net";
  const texts: Record<string, string> = {
    [`${net}/bonding/bond0`]: "Bonding Mode: x\n\nSlave Interface: eth0\n",
    [`${net}/vlan/config`]: "Name | VLAN ID\nName-Type: x\nmgmt           | 10  | bond0\n",
  };
  const host = (sys: string[] | undefined) => ({
    roots: { proc: "/host/proc", sys: "/sys", root: "/" },
    list: (path: string) => path === `${net}/bonding` ? ["bond0"] : sys,
    exists: () => false,
    readLink: () => undefined,
    readText: (path: string) => texts[path],
  });
  const nothing = host(undefined);
  const slave = { ...NO_TRAITS, bondSlave: true, master: "bond0" };
  assertEquals(readInterfaceTraits(nothing, "eth0"), slave);
  assertEquals(readInterfaceTraits(nothing, "bond0"), { ...NO_TRAITS, bond: true });
  assertEquals(readInterfaceTraits(nothing, "mgmt"), { ...NO_TRAITS, stacked: true });
  assertEquals(readInterfaceTraits(nothing, "eth1"), undefined);
  // The eth0 of the container's own /sys.
  assertEquals(readInterfaceTraits(host(["device"]), "eth0"), { ...slave, device: true });
});

Deno.test("isTunnelType() knows the kernel's types of tunnels, and no others", () => {
  const tunnels = ["wireguard", "vxlan", "geneve", "bareudp", "gtp", "l2tpeth", "amt"];
  assertEquals(tunnels.filter((type) => !isTunnelType(type)), []);
  const others = ["wlan", "bridge", "bond", "vlan", "macvlan", "dsa", "hsr", "", undefined];
  assertEquals(others.filter(isTunnelType), []);
});
