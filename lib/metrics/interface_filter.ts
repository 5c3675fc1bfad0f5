import type { InterfaceTraits } from "../host/interface_traits.ts";
import { matchesGlob } from "../parse/glob.ts";

/** The user's globs; `include` wins over everything, and where it has any only those count. */
export interface InterfaceGlobs {
  include: readonly string[];
  exclude: readonly string[];
}

/** Whether an interface is part of the traffic, and the rule in plain words. */
export interface InterfaceDecision {
  counted: boolean;
  rule: string;
}

/** What else the machine has, as far as it matters for one interface. */
export interface InterfaceContext {
  globs: InterfaceGlobs;
  /** No interface of this machine has a device behind it, as in most containers. */
  noDevices: boolean;
  /** No interface is counted so far. */
  isOnlyLink: boolean;
  /** A counted interface has moved bytes already, so a dial-up link may lie within them. */
  hasTraffic: boolean;
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
export function decideInterface(
  name: string,
  traits: InterfaceTraits | undefined,
  around: InterfaceContext,
): InterfaceDecision {
  const { include, exclude } = around.globs;
  if (include.length > 0) {
    const glob = include.find((glob) => matchesGlob(name, glob));
    return glob === undefined
      ? ignored("not in --include-nics")
      : counted(`included by --include-nics ${glob}`);
  }
  const excluded = exclude.find((glob) => matchesGlob(name, glob));
  if (excluded !== undefined) return ignored(`excluded by --exclude-nics ${excluded}`);
  return name === "lo" || name === "lo0" ? ignored("loopback") : decideByKind(name, traits, around);
}

/** Whether the name is one of a link that a modem brings up. */
export function isDialUp(name: string): boolean {
  return matchesGlob(name, DIAL_UP);
}

/** Whether it is a link that may lie within another interface: such ones are judged last. */
export function mayBeEncapsulated(name: string, traits: InterfaceTraits | undefined): boolean {
  return isDialUp(name) || traits?.tunnel === true;
}

function decideByKind(
  name: string,
  traits: InterfaceTraits | undefined,
  around: InterfaceContext,
): InterfaceDecision {
  const master = traits?.master ?? "another interface";
  if (traits?.bondSlave) return ignored(`bond slave of ${master}`);
  if (traits?.deviceSlave) return ignored(`counted by ${master} already`);
  if (traits?.switchPort) return ignored("port of a switch: its uplink is counted");
  if (traits?.bond) return counted("bond");
  if (traits?.device) {
    const glob = VIRTUAL_DEVICES.find((glob) => matchesGlob(name, glob));
    return glob === undefined ? counted("has a device") : ignored(`virtual: ${glob}`);
  }
  if (traits?.tunnel && around.noDevices && around.isOnlyLink) {
    return counted("a tunnel, the only way out");
  }
  const glob = VIRTUAL_NAMES.find((glob) => matchesGlob(name, glob));
  if (glob !== undefined) return ignored(`virtual: ${glob}`);
  if (isDialUp(name)) {
    return around.hasTraffic
      ? ignored(`within another interface: ${DIAL_UP}`)
      : counted(`a link of its own: ${DIAL_UP}`);
  }
  if (traits && !around.noDevices) return ignored("virtual: no device behind it");
  if (traits?.bridge) return ignored("virtual: a bridge");
  if (traits?.tunnel) return ignored("virtual: a tunnel");
  if (traits?.stacked) return ignored("virtual: over another interface");
  return counted(around.noDevices ? "by name: no interface has a device" : "by name: kind unknown");
}

function counted(rule: string): InterfaceDecision {
  return { counted: true, rule };
}

function ignored(rule: string): InterfaceDecision {
  return { counted: false, rule };
}
