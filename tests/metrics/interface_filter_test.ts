import { assertEquals } from "@std/assert";
import type { InterfaceTraits } from "../../lib/host/host.ts";
import {
  decideInterface,
  decisionOrder,
  type InterfaceContext,
  type InterfaceGlobs,
} from "../../lib/metrics/interface_filter.ts";
import { cases, same } from "../cases.ts";

type Facts = Parameters<typeof decideInterface>[1];
type Around = Partial<InterfaceContext & InterfaceGlobs>;

/** A container, which has no devices; and one in which nothing else counts. */
const NONE = { noDevices: true };
const ALONE = { noDevices: true, isOnlyLink: true };

/** What the kernel says of an interface of a kind. */
function link(kind: string | undefined, is: InterfaceTraits = {}): Facts {
  return { kind, ...is };
}

/** The rule behind `+` if it counts; by default there are devices, and nothing else is known. */
function rule(
  name: string,
  facts: Facts,
  { include = [], exclude = [], ...rest }: Around = {},
): string {
  const context = { noDevices: false, isOnlyLink: false, hasTraffic: false, ...rest };
  const decision = decideInterface(name, facts, { globs: { include, exclude }, ...context });
  return `${decision.counted ? "+" : "-"} ${decision.rule}`;
}

Deno.test("decideInterface() counts interfaces with a device, whatever their name, and no bond beside its members", async () => {
  await same(([name, traits]) => rule(name, traits), [
    ...["eth0", "wlo1", "wwan0", "br-lan"].map((name) =>
      [[name, { hasDevice: true }], "+ has a device"] as const
    ),
    [["lo", {}], "- loopback"],
    [["lo0", {}], "- loopback"],
    [["docker0", {}], "- virtual: docker*"],
    [["veth12ab", {}], "- virtual: veth*"],
    [["br0", {}], "- virtual: br?"],
    [["vif1.0", { hasDevice: true }], "- virtual: vif*"],
    [["loopback0", { hasDevice: true }], "- virtual: loopback0"],
    [["office", { kind: "bridge" }], "- virtual: kind bridge"],
    [["office", { isStacked: true }], "- virtual: no device"],
    [["bond0", { kind: "bond", isStacked: true }], "- virtual: kind bond"],
    [["bond0", undefined], "- virtual: bond*"],
    [["eno1", { hasDevice: true, isBridgePort: true }], "+ has a device"],
    [
      ["enP1", { hasDevice: true, isDeviceSlave: true }],
      "- already counted by the adapter that it is part of",
    ],
    [["lan1", { hasDevice: true, kind: "dsa" }], "- switch port: its uplink is counted"],
    [["wwan0", undefined], "+ by name: kind unknown"],
    [["veth1", undefined], "- virtual: veth*"],
    [["ppp0", {}], "+ separate link: ppp*"],
  ] as [readonly [string, InterfaceTraits?], string][]);
  assertEquals(rule("ppp0", {}, { hasTraffic: true }), "- inside another interface: ppp*");
});

Deno.test("decideInterface() goes by the name where no interface has a device and no kind is known", () => {
  const counted = (names: string, traits?: InterfaceTraits, around: Around = NONE) =>
    names.split(" ").filter((name) => rule(name, traits, around).startsWith("+")).join(" ");
  const uplinks = "eth0 venet0 ens18 wlo1 em1 p1p2 ib0 usb0 wan wwan0";
  assertEquals(counted(`${uplinks} lo eth0.10`), uplinks);
  assertEquals(counted("eth0 lan1 tun0 wg0 fwln100i0", {}), "eth0 lan1");
  for (const traits of [{ kind: "bridge" }, { kind: "tun" }, { isStacked: true }]) {
    assertEquals(counted("office", traits), "");
  }
  // Names that makers of software interfaces give.
  const software = "docker0 podman1 br-1f2e br0 br10 veth12ab virbr0 vnet3 lxdbr0 incusbr0 vmbr0 " +
    "fwbr100i0 fwln100i0 fwpr100p0 tap0 tun0 vif1.0 xenbr0 ovs-system cni0 cali1a2b cilium_host " +
    "lxc1a2b flannel.1 kube-ipvs0 nodelocaldns weave wg0 tailscale0 ztabc utun3 nebula1 gre0 " +
    "erspan0 sit0 tunl0 ip6tnl0 ip_vti0 vxlan0 geneve0 macvlan0 macvtap0 ipvlan0 vlan5 eth0.10 " +
    "bond0 dummy0 ifb0 teql0 nlmon0 ve-web he-ipv6";
  assertEquals(counted(software, undefined, ALONE), "");
  // A bridge's uplink among its ports.
  const ports = counted("eth0 enp1s0 wlan0 guest lan1", { isBridgePort: true });
  assertEquals(ports, "eth0 enp1s0 wlan0");
  const [byName, unknown] = ["+ by name: no interface has a device", "+ by name: kind unknown"];
  assertEquals(rule("docfba1c342", undefined, NONE), unknown);
  assertEquals(rule("docfba1c342", undefined, ALONE), byName);
  assertEquals([rule("ens3", {}, NONE), rule("lan1", link(undefined), NONE)], [byName, byName]);
  assertEquals([decisionOrder("docfba1c342", undefined), decisionOrder("eth0", {})], [1, 0]);
});

Deno.test("decideInterface() takes the lists first, and an include before an exclude", () => {
  const lists = { include: ["vmbr*", "lo"], exclude: ["vmbr0"] };
  assertEquals(rule("vmbr0", { kind: "bridge" }, lists), "+ included by --include-nics vmbr*");
  assertEquals(rule("lo", {}, lists), "+ included by --include-nics lo");
  assertEquals(rule("eth0", { hasDevice: true }, lists), "- not in --include-nics");
  const exclude = ["wlan0", "eth?"];
  const card = { hasDevice: true };
  assertEquals(rule("eth1", card, { exclude }), "- excluded by --exclude-nics eth?");
  assertEquals(rule("veth1", card, { exclude }), "+ has a device");
});

Deno.test("decideInterface() goes by the kind alone where the kernel tells it", () => {
  for (const kind of "xfrm vti vti6 vrf dummy team gre ipip sit ifb bridge wireguard".split(" ")) {
    for (const around of [{}, NONE]) {
      for (const name of ["office", "eth0"]) {
        assertEquals(rule(name, link(kind), around), `- virtual: kind ${kind}`);
      }
    }
  }
  // A container's own links, of any name.
  for (const kind of ["veth", "netkit", "macvlan", "ipvlan", "vlan"]) {
    for (const name of "tun5 br-lan eth0.5 docker0 dummy0 wg0 ppp0".split(" ")) {
      assertEquals(rule(name, link(kind), NONE), `+ kind ${kind}: no interface has a device`);
      assertEquals(rule(name, link(kind, { isStacked: true }))[0], "-");
    }
  }
  assertEquals(rule("wan0", link("ppp"), NONE), "+ separate link: ppp*");
  assertEquals(rule("wan0", link("ppp"), { hasTraffic: true })[0], "-");
  for (const around of [{}, NONE]) {
    assertEquals(rule("eth0", link(undefined, { isLoopback: true }), around), "- loopback");
  }
});

Deno.test("decideInterface() counts a tunnel or the host's end of a pair that is the only link, but none of the kernel's own", () => {
  for (const name of ["tap0", "eth0", "enp1s0"]) {
    const tunnel = { kind: "tun" };
    assertEquals(rule(name, tunnel, ALONE), "+ tunnel: the only link");
    assertEquals(rule(name, tunnel, NONE)[0], "-");
    assertEquals(rule(name, tunnel, { isOnlyLink: true })[0], "-");
  }
  for (const [name, kind] of cases("ipsec0 → xfrm\noffice → gre\nhome → tun")) {
    assertEquals(rule(name, link(kind), ALONE), "+ tunnel: the only link");
    assertEquals(decisionOrder(name, link(kind)), 3);
  }
  for (
    const [name, kind] of cases("sit0 → sit\ntunl0 → ipip\ngre0 → gre\nip_vti0 → vti\nd7 → dummy")
  ) {
    assertEquals([rule(name, link(kind), ALONE)[0], decisionOrder(name, link(kind))], ["-", 0]);
  }
  for (const name of "veth12ab cali1a2b lxc1a2b fwln100i0 ve-web azv1 eni1a2b".split(" ")) {
    assertEquals(rule(name, link("veth"), NONE)[0], "-", name);
    assertEquals(rule(name, link("veth"), ALONE), "+ kind veth: the only link");
  }
});

Deno.test("decideInterface() counts nothing whose other part is here, and nothing without a device beside a card", () => {
  for (const kind of ["veth", "macvlan", "vlan"]) {
    assertEquals(rule("eth0", link(kind)), "- virtual: no device", kind);
  }
  const here = { isStacked: true };
  assertEquals(rule("eth1", link("veth", here), ALONE), "- virtual: both ends are here");
  assertEquals(rule("eth1", link("vlan", here), ALONE), "- virtual: on top of another interface");
});
