import { assertEquals } from "@std/assert";
import type { LinkKind } from "../../lib/host/host.ts";
import { type InterfaceTraits, NO_TRAITS } from "../../lib/host/interface_traits.ts";
import {
  decideInterface,
  decisionOrder,
  type InterfaceContext,
  type InterfaceGlobs,
} from "../../lib/metrics/interface_filter.ts";

const VIRTUAL: InterfaceTraits = NO_TRAITS;
const DEVICE: InterfaceTraits = { ...VIRTUAL, device: true };

/** The surroundings of an interface, which by default tell nothing. */
function around(
  { include = [], exclude = [], ...rest }: Partial<InterfaceContext & InterfaceGlobs> = {},
): InterfaceContext {
  return {
    globs: { include, exclude },
    ...{ noDevices: false, isOnlyLink: false, hasTraffic: false, ...rest },
  };
}

/** The decision on an interface with these traits. */
function decide(name: string, traits: InterfaceTraits | undefined, context = around()) {
  return decideInterface(name, { traits }, context);
}

Deno.test("decideInterface() counts interfaces with a device, whatever their name", () => {
  const table: [name: string, traits: InterfaceTraits, counted: boolean, rule: string][] = [
    ["eth0", DEVICE, true, "has a device"],
    ["wlo1", DEVICE, true, "has a device"],
    ["wwan0", DEVICE, true, "has a device"],
    ["br-lan", DEVICE, true, "has a device"],
    ["lo", VIRTUAL, false, "loopback"],
    ["lo0", VIRTUAL, false, "loopback"],
    ["docker0", { ...VIRTUAL, bridge: true }, false, "virtual: docker*"],
    ["veth12ab", VIRTUAL, false, "virtual: veth*"],
    ["br0", VIRTUAL, false, "virtual: br?"],
    ["vif1.0", DEVICE, false, "virtual: vif*"],
    ["loopback0", DEVICE, false, "virtual: loopback0"],
    ["office", { ...VIRTUAL, bridge: true }, false, "virtual: no device"],
    ["bond0", { ...VIRTUAL, bond: true, stacked: true }, true, "bond"],
    ["eth0", { ...DEVICE, bondSlave: true, master: "bond0" }, false, "bond slave of bond0"],
    ["eth0", { ...DEVICE, bondSlave: true }, false, "bond slave of another interface"],
    ["eno1", { ...DEVICE, master: "vmbr0" }, true, "has a device"],
    ["enP1", { ...DEVICE, deviceSlave: true, master: "eth0" }, false, "already counted by eth0"],
    ["lan1", { ...DEVICE, switchPort: true }, false, "switch port: its uplink is counted"],
  ];
  for (const [name, traits, counted, rule] of table) {
    assertEquals(decide(name, traits), { counted, rule }, name);
  }
});

Deno.test("decideInterface() uses the name where no interface has a device", () => {
  const table: [name: string, traits: InterfaceTraits | undefined, counted: boolean][] = [
    ["eth0", VIRTUAL, true],
    ["eth0", undefined, true],
    ["venet0", VIRTUAL, true],
    ["ens18", undefined, true],
    ["wlo1", undefined, true],
    ["lo", undefined, false],
    ["eth0.10", VIRTUAL, false],
    ["tun0", VIRTUAL, false],
    ["wg0", VIRTUAL, false],
    ["fwln100i0", VIRTUAL, false],
    ["office", { ...VIRTUAL, bridge: true }, false],
    ["office", { ...VIRTUAL, tunnel: true }, false],
    ["office", { ...VIRTUAL, stacked: true }, false],
  ];
  for (const [name, traits, counted] of table) {
    assertEquals(
      decide(name, traits, around({ noDevices: true })).counted,
      counted,
      name,
    );
  }
});

Deno.test("decideInterface() uses the name of an interface with unknown traits", () => {
  assertEquals(decide("wwan0", undefined), {
    counted: true,
    rule: "by name: kind unknown",
  });
  assertEquals(decide("veth1", undefined).counted, false);
});

Deno.test("decideInterface() counts a dial-up link unless another interface may include it", () => {
  assertEquals(decide("ppp0", VIRTUAL).counted, true);
  assertEquals(decide("ppp0", VIRTUAL, around({ hasTraffic: true })), {
    counted: false,
    rule: "inside another interface: ppp*",
  });
});

Deno.test("decideInterface() lets an explicit include take precedence", () => {
  const lists = { include: ["vmbr*", "lo"], exclude: ["vmbr0"] };
  assertEquals(decide("vmbr0", { ...VIRTUAL, bridge: true }, around(lists)), {
    counted: true,
    rule: "included by --include-nics vmbr*",
  });
  assertEquals(decide("lo", undefined, around(lists)).counted, true);
  assertEquals(decide("eth0", DEVICE, around(lists)), {
    counted: false,
    rule: "not in --include-nics",
  });
});

Deno.test("decideInterface() counts nothing else beside the one interface of an include", () => {
  const only = around({ include: ["wg0"] });
  assertEquals(decide("eth0", DEVICE, only).counted, false);
  assertEquals(decide("wg0", VIRTUAL, only).counted, true);
});

Deno.test("decideInterface() knows software interfaces by the names that their makers give", () => {
  const names = [
    ...["docker0", "podman1", "br-1f2e", "br0", "br10", "veth12ab", "virbr0", "vnet3", "lxdbr0"],
    ...["incusbr0", "vmbr0", "fwbr100i0", "fwln100i0", "fwpr100p0", "tap0", "tun0", "vif1.0"],
    ...["xenbr0", "ovs-system", "cni0", "cali1a2b", "cilium_host", "lxc1a2b", "flannel.1"],
    ...["kube-ipvs0", "nodelocaldns", "weave", "wg0", "tailscale0", "ztabc", "utun3", "nebula1"],
    ...["gre0", "erspan0", "sit0", "tunl0", "ip6tnl0", "ip_vti0", "vxlan0", "geneve0"],
    ...["macvlan0", "macvtap0", "ipvlan0", "vlan5", "eth0.10", "dummy0", "ifb0", "teql0"],
    ...["nlmon0", "ve-web", "he-ipv6"],
  ];
  const counted = names.filter((name) =>
    decide(name, undefined, around({ noDevices: true, isOnlyLink: true })).counted
  );
  assertEquals(counted, []);
});

Deno.test("decideInterface() knows the bridge's uplink among its ports by its name", () => {
  const port = { ...VIRTUAL, bridgePort: true };
  const uplinks = ["eth0", "enp1s0", "wlan0", "wwan0", "usb0", "wan", "venet0"];
  const counted = [...uplinks, "guest", "lan1"].filter((name) =>
    decide(name, port, around({ noDevices: true })).counted
  );
  assertEquals(counted, uplinks);
});

Deno.test("decideInterface() leaves out excluded interfaces", () => {
  assertEquals(
    decide("eth1", DEVICE, around({ exclude: ["wlan0", "eth?"] })),
    { counted: false, rule: "excluded by --exclude-nics eth?" },
  );
  assertEquals(
    decide("veth1", DEVICE, around({ exclude: ["eth?"] })).counted,
    true,
  );
});

Deno.test("decideInterface() counts a tunnel that is the only link, as in a rootless container", () => {
  const tunnel = { ...VIRTUAL, tunnel: true };
  for (const name of ["tap0", "eth0", "enp1s0"]) {
    assertEquals(decide(name, tunnel, around({ noDevices: true, isOnlyLink: true })), {
      counted: true,
      rule: "tunnel: the only link",
    });
    assertEquals(
      decide(name, tunnel, around({ noDevices: true })).counted,
      false,
    );
    assertEquals(decide(name, tunnel, around({ isOnlyLink: true })).counted, false);
  }
});

/** What the kernel says of an interface of a kind. */
function link(kind: string | undefined, is: Partial<LinkKind> = {}): LinkKind {
  const none = { isLoopback: false, isStacked: false, isMonitor: false, hasDevice: false };
  return { name: "", kind, ...none, ...is };
}

Deno.test("decideInterface() leaves out by their kind what another interface carries, whatever the name", () => {
  const kinds = ["xfrm", "vti", "vti6", "vrf", "dummy", "team", "gre", "ipip", "sit", "ifb"];
  for (const kind of kinds) {
    for (const noDevices of [false, true]) {
      const decision = decideInterface("office", { link: link(kind) }, around({ noDevices }));
      assertEquals(decision, { counted: false, rule: `virtual: kind ${kind}` }, kind);
    }
  }
  // A container's own links.
  for (const kind of [undefined, "veth", "netkit", "macvlan", "ipvlan", "vlan"]) {
    const decision = decideInterface("net1", { link: link(kind) }, around({ noDevices: true }));
    assertEquals(decision.counted, true, kind);
  }
});

Deno.test("decideInterface() counts a tunnel by its kind that is the only link, but none of the kernel's own", () => {
  const alone = around({ noDevices: true, isOnlyLink: true });
  for (const [name, kind] of [["ipsec0", "xfrm"], ["office", "gre"], ["home", "tun"]] as const) {
    const facts = { link: link(kind) };
    assertEquals(decideInterface(name, facts, alone).rule, "tunnel: the only link");
    assertEquals(decisionOrder(name, facts), 3);
  }
  const table = [["sit0", "sit"], ["tunl0", "ipip"], ["gre0", "gre"], ["ip_vti0", "vti"]] as const;
  for (const [name, kind] of table) {
    const facts = { link: link(kind) };
    assertEquals(decideInterface(name, facts, alone).counted, false, name);
    assertEquals(decisionOrder(name, facts), 0, name);
  }
  assertEquals(decideInterface("dummy7", { link: link("dummy") }, alone).counted, false);
});

Deno.test("decideInterface() asks no name where the kernel tells the kind", () => {
  const byName = around({ noDevices: true });
  for (const kind of ["veth", "netkit", "macvlan", "ipvlan", "vlan"]) {
    for (const name of ["tun5", "br-lan", "eth0.5", "docker0", "dummy0", "wg0", "ppp0"]) {
      assertEquals(decideInterface(name, { link: link(kind) }, byName), {
        counted: true,
        rule: `kind ${kind}: no interface has a device`,
      });
      const here = link(kind, { isStacked: true });
      assertEquals(decideInterface(name, { link: here }, around()).counted, false);
    }
  }
  const table = [["eth0", "bridge"], ["ens3", "dummy"], ["eth1", "wireguard"]] as const;
  for (const [name, kind] of table) {
    const decision = decideInterface(name, { link: link(kind) }, byName);
    assertEquals(decision, { counted: false, rule: `virtual: kind ${kind}` });
  }
  const dialUp = { link: link("ppp") };
  assertEquals(decideInterface("wan0", dialUp, byName).rule, "separate link: ppp*");
  assertEquals(decideInterface("wan0", dialUp, around({ hasTraffic: true })).counted, false);
});

Deno.test("decideInterface() takes one of a pair for the host's end by its name, unless it is the only link", () => {
  const names = ["veth12ab", "cali1a2b", "lxc1a2b", "fwln100i0", "ve-web", "azv1", "eni1a2b"];
  for (const name of names) {
    const facts = { link: link("veth") };
    assertEquals(decideInterface(name, facts, around({ noDevices: true })).counted, false, name);
    assertEquals(decideInterface(name, facts, around({ noDevices: true, isOnlyLink: true })), {
      counted: true,
      rule: "kind veth: the only link",
    });
  }
});

Deno.test("decideInterface() leaves out a pair both ends of which are here, and what is on another interface", () => {
  const alone = around({ noDevices: true, isOnlyLink: true });
  const rules = {
    veth: "virtual: both ends are here",
    vlan: "virtual: on top of another interface",
  };
  for (const [kind, rule] of Object.entries(rules)) {
    const decision = decideInterface("eth1", { link: link(kind, { isStacked: true }) }, alone);
    assertEquals(decision, { counted: false, rule });
  }
  const pair = { link: link("veth", { isStacked: true }) };
  assertEquals(decideInterface("veth1", pair, alone).counted, false);
});

Deno.test("decisionOrder() has a container's link on a bridge after the tap of a rootless network", () => {
  const port = { traits: { ...NO_TRAITS, bridgePort: true }, link: link("veth") };
  const order = [["tap0", { link: link("tun") }], ["vethab", port], ["eth0", port]] as const;
  assertEquals(order.map(([name, facts]) => decisionOrder(name, facts)), [3, 4, 0]);
});

Deno.test("decisionOrder() has a tunnel after what may carry it", () => {
  const order = (name: string, kind: string) => decisionOrder(name, { link: link(kind) });
  assertEquals(
    [order("tun5", "veth"), order("veth5", "veth"), order("wan", "ppp"), order("eth0", "tun")],
    [0, 1, 2, 3],
  );
});

Deno.test("decideInterface() leaves out a loopback of another name, and monitors of a radio", () => {
  for (const noDevices of [false, true]) {
    const loopback = { link: link(undefined, { isLoopback: true }) };
    assertEquals(decideInterface("eth0", loopback, around({ noDevices })).rule, "loopback");
    const monitor = { traits: DEVICE, link: link(undefined, { isMonitor: true }) };
    assertEquals(decideInterface("wlan0", monitor, around({ noDevices })), {
      counted: false,
      rule: "monitor of a radio",
    });
  }
});

Deno.test("decideInterface() says so where an interface counts beside others and nothing tells what it is", () => {
  const rule = (name: string, facts = {}, isOnlyLink = false) =>
    decideInterface(name, facts, around({ noDevices: true, isOnlyLink })).rule;
  const byName = "by name: no interface has a device";
  assertEquals(rule("docfba1c342"), "by name: kind unknown");
  assertEquals(rule("docfba1c342", {}, true), byName);
  for (const name of ["eth0", "ens3", "em1", "p1p2", "ib0"]) assertEquals(rule(name), byName, name);
  assertEquals(rule("lan1", { traits: VIRTUAL }), byName);
  assertEquals(rule("lan1", { link: link(undefined) }), byName);
  assertEquals([decisionOrder("docfba1c342", {}), decisionOrder("eth0", {})], [1, 0]);
});

Deno.test("decideInterface() counts an uplink from another network beside a card, as in a container that was given one", () => {
  const counts = (name: string, kind: string, is = {}, traits = VIRTUAL) =>
    decideInterface(name, { traits, link: link(kind, is) }, around()).counted;
  for (const name of ["eth0", "eth12", "host0"]) assertEquals(counts(name, "veth"), true, name);
  for (const kind of ["macvlan", "ipvlan", "vlan"]) assertEquals(counts("net1", kind), true, kind);
  // On a host these have their other part here, or are the ends of its containers.
  for (const kind of ["veth", "macvlan", "vlan"]) {
    assertEquals(counts("eth0", kind, { isStacked: true }), false, kind);
    assertEquals(counts("eth0", kind, { master: "br0" }), false, kind);
  }
  assertEquals(counts("eth0", "veth", {}, { ...VIRTUAL, bridgePort: true }), false);
  for (const name of ["veth1", "office", "tap0"]) assertEquals(counts(name, "veth"), false, name);
  assertEquals(counts("eth0", "dummy"), false);
});
