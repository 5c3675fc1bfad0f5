import type { InterfaceTraits } from "../host/interface_traits.ts";
import { matchesGlob } from "../parse/glob.ts";

/** The user's globs; `include` wins over everything, and where it has any only those count. */
export interface InterfaceLists {
  include: readonly string[];
  exclude: readonly string[];
}

/** Whether an interface is part of the traffic, and the rule in plain words. */
export interface InterfaceDecision {
  counted: boolean;
  rule: string;
}

/** What else the machine has, as far as it matters for one interface. */
export interface InterfaceSurroundings {
  lists: InterfaceLists;
  /** No interface of this machine has a device behind it, as in most containers. */
  byName: boolean;
  /** No interface is counted so far. */
  alone: boolean;
  /** A counted interface has moved bytes already, so a dial-up link may lie within them. */
  carried: boolean;
}

/** Made by software over or beside the real interfaces; what passes there passes a real one too, or never leaves. */
const VIRTUAL_NAMES = [
  ...["docker*", "podman*", "br-*", "br?", "br??", "veth*", "virbr*", "vnet*", "lxdbr*"],
  ...["incusbr*", "vmbr*", "fwbr*", "fwln*", "fwpr*", "tap*", "tun*", "vif*", "xenbr*", "ovs-*"],
  ...["cni*", "cali*", "cilium*", "lxc*", "flannel*", "kube-*", "nodelocaldns", "weave*"],
  ...["wg*", "tailscale*", "zt*", "utun*", "nebula*", "gre*", "erspan*", "sit*", "tunl*", "ip6*"],
  ...["ip_vti*", "vxlan*", "geneve*", "macvlan*", "macvtap*", "ipvlan*", "vlan*", "*.*"],
  ...["dummy*", "ifb*", "teql*", "nlmon*"],
];

/** Virtual machines' ends of their adapters: the kernel shows a device behind them, but none that is a card. */
const VIRTUAL_DEVICES = ["vif*"];

/** Links that a modem brings up on its own, but PPPoE within another interface's frames. */
const DIAL_UP = "ppp*";

/**
 * Decides whether an interface's traffic is counted.
 *
 * By default those with a device behind them count, and a bond in place of its slaves; where none has
 * a device, those whose names are not ones that software makes. `ppp*` has no device: it counts when
 * nothing else has moved a byte that could have carried it. Where a tunnel is the only way out, as in
 * containers without root, it counts.
 */
export function chooseInterface(
  name: string,
  traits: InterfaceTraits | undefined,
  around: InterfaceSurroundings,
): InterfaceDecision {
  const { include, exclude } = around.lists;
  if (include.length > 0) {
    const glob = include.find((glob) => matchesGlob(name, glob));
    return glob === undefined
      ? left("not in --include-nics")
      : counted(`included by --include-nics ${glob}`);
  }
  const excluded = exclude.find((glob) => matchesGlob(name, glob));
  if (excluded !== undefined) return left(`excluded by --exclude-nics ${excluded}`);
  return name === "lo" || name === "lo0" ? left("loopback") : byKind(name, traits, around);
}

/** Whether the name is one of a link that a modem brings up. */
export function isDialUp(name: string): boolean {
  return matchesGlob(name, DIAL_UP);
}

/** Whether it is a link that may lie within another interface: such ones are judged last. */
export function mayLieWithin(name: string, traits: InterfaceTraits | undefined): boolean {
  return isDialUp(name) || traits?.tunnel === true;
}

function byKind(
  name: string,
  traits: InterfaceTraits | undefined,
  around: InterfaceSurroundings,
): InterfaceDecision {
  const master = traits?.master ?? "another interface";
  if (traits?.bondSlave) return left(`bond slave of ${master}`);
  if (traits?.deviceSlave) return left(`counted by ${master} already`);
  if (traits?.switchPort) return left("port of a switch: its uplink is counted");
  if (traits?.bond) return counted("bond");
  if (traits?.device) {
    const glob = VIRTUAL_DEVICES.find((glob) => matchesGlob(name, glob));
    return glob === undefined ? counted("has a device") : left(`virtual: ${glob}`);
  }
  if (traits?.tunnel && around.byName && around.alone) return counted("a tunnel, the only way out");
  const glob = VIRTUAL_NAMES.find((glob) => matchesGlob(name, glob));
  if (glob !== undefined) return left(`virtual: ${glob}`);
  if (isDialUp(name)) {
    return around.carried
      ? left(`within another interface: ${DIAL_UP}`)
      : counted(`a link of its own: ${DIAL_UP}`);
  }
  if (traits && !around.byName) return left("virtual: no device behind it");
  if (traits?.bridge) return left("virtual: a bridge");
  if (traits?.tunnel) return left("virtual: a tunnel");
  if (traits?.stacked) return left("virtual: over another interface");
  return counted(around.byName ? "by name: no interface has a device" : "by name: kind unknown");
}

function counted(rule: string): InterfaceDecision {
  return { counted: true, rule };
}

function left(rule: string): InterfaceDecision {
  return { counted: false, rule };
}
