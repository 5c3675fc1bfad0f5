import type { InterfaceTraits } from "../host/host.ts";
import { SWITCH_PORT } from "../host/interface_traits.ts";
import { matchesGlob } from "../parse/glob.ts";

/** Globs of `--include-nics` and `--exclude-nics`; with a non-empty `include` only matches count. */
export interface InterfaceGlobs {
  include: readonly string[];
  exclude: readonly string[];
}

/** Decision on an interface, with its reason. */
export interface InterfaceDecision {
  counted: boolean;
  rule: string;
}

/** Facts about the other interfaces that a decision depends on. */
export interface InterfaceContext {
  globs: InterfaceGlobs;
  /** No interface of this machine is backed by a device, as in most containers. */
  noDevices: boolean;
  /** No other interface is counted. */
  isOnlyLink: boolean;
  /** A counted interface has traffic that may already include that of a dial-up link. */
  hasTraffic: boolean;
}

/** Kinds that come in pairs: a container's uplink, and the host's ends of its containers' uplinks. */
const PAIR_KINDS: ReadonlySet<string> = new Set(["veth", "netkit"]);

/** Names of the host's ends: their kind is that of an uplink, too. */
const HOST_ENDS = [
  ...["veth*", "ve-*", "vb-*", "cali*", "cilium*", "lxc*", "cni*", "weave*", "fwln*", "fwpr*"],
  ...["vnet*", "azv*", "eni*", "gke*"],
];

/**
 * Names of software interfaces, where no kind is known: their traffic passes through a real interface
 * too, or never leaves the machine.
 */
const VIRTUAL_NAMES = [
  ...HOST_ENDS,
  ...["docker*", "podman*", "br-*", "br?", "br??", "virbr*", "lxdbr*"],
  ...["incusbr*", "vmbr*", "fwbr*", "tap*", "tun*", "vif*", "xenbr*", "ovs-*"],
  ...["flannel*", "kube-*", "nodelocaldns", "datapath", "waydroid*", "anbox*"],
  ...["wg*", "tailscale*", "zt*", "utun*", "nebula*", "gre*", "erspan*", "sit*", "tunl*", "ip6*"],
  ...["ip_vti*", "vxlan*", "geneve*", "macvlan*", "macvtap*", "ipvlan*", "vlan*", "*.*"],
  ...["ipvl*", "xfrm*", "ipsec*", "l2tpeth*", "6in4-*", "6to4*", "he-ipv6", "bat*", "hsr*", "vrf*"],
  ...["bond*", "dummy*", "ifb*", "teql*", "nlmon*", "macsec*", "nordlynx", "CloudflareWARP"],
];

/** Kinds of interfaces whose traffic another interface carries, or that never leaves the machine. */
const VIRTUAL_KINDS: ReadonlySet<string> = new Set([
  ...["bridge", "bond", "dummy", "ifb", "team", "vrf", "nlmon", "vsockmon", "vcan", "vxcan", "hsr"],
  ...["batadv", "openvswitch"],
]);

/** Kinds of tunnels, which count where they are the only link. */
const TUNNEL_KINDS: ReadonlySet<string> = new Set([
  ...["xfrm", "vti", "vti6", "gre", "gretap", "ip6gre", "ip6gretap", "erspan", "ip6erspan"],
  ...["ipip", "sit", "ip6tnl", "vxlan", "geneve", "bareudp", "gtp", "pfcp", "amt", "l2tpeth"],
  ...["wireguard", "ovpn", "tun"],
]);

/** Tunnels that the kernel makes by itself in each network, and that nearly never carry anything. */
const FALLBACK_TUNNELS: ReadonlySet<string> = new Set([
  ...["sit0", "tunl0", "gre0", "gretap0", "erspan0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0"],
]);

/**
 * Host ends of virtual machines' adapters, and WSL's way to the programs of Windows, which have a device
 * that is not a network card.
 */
const VIRTUAL_DEVICES = ["vif*", "loopback0"];

/** Links over a modem, or PPPoE within another interface's frames; older kernels tell no kind of theirs. */
const DIAL_UP = { kind: "ppp", name: "ppp*" } as const;

/** Rule of an interface that counts although nothing tells what it is, beside others that count. */
export const KIND_UNKNOWN = "by name: kind unknown";

/** Names of uplinks, where no interface has a device that shows it. */
const UPLINKS = [
  ...["eth*", "en*", "em[0-9]*", "p[0-9]*p[0-9]*", "ib[0-9]*", "wl*", "ww*", "usb*", "wan*"],
  "venet*",
];

/**
 * Decides whether an interface's traffic is counted.
 *
 * By default interfaces backed by a device count, those of a bond in its place; where no interface has a
 * device, all whose names are not those of software interfaces. `ppp*` has no device: it counts
 * unless another counted interface has traffic that may include it, and does. A tunnel that is the only link, as
 * in rootless containers, counts. Without devices a bridge port does not count beside an uplink, which
 * carries the same bytes; the port may have any name. Where the kernel tells the kind of an interface,
 * that decides; a name only says which of two interfaces of one kind is the uplink.
 */
export function decideInterface(
  name: string,
  traits: InterfaceTraits | undefined,
  context: InterfaceContext,
): InterfaceDecision {
  const { include, exclude } = context.globs;
  if (include.length > 0) {
    const glob = include.find((glob) => matchesGlob(name, glob));
    return glob === undefined
      ? ignored("not in --include-nics")
      : counted(`included by --include-nics ${glob}`);
  }
  const excluded = exclude.find((glob) => matchesGlob(name, glob));
  if (excluded !== undefined) return ignored(`excluded by --exclude-nics ${excluded}`);
  return name === "lo" || name === "lo0" || traits?.isLoopback
    ? ignored("loopback")
    : decideByKind(name, traits, context);
}

/** The traits of an interface; `undefined` if they are unknown. */
type Traits = InterfaceTraits | undefined;

/** Whether it is a dial-up link. */
export function isDialUp(name: string, traits: Traits): boolean {
  const kind = traits?.kind;
  return kind === undefined ? matchesGlob(name, DIAL_UP.name) : kind === DIAL_UP.kind;
}

/**
 * When an interface is decided on, lowest first: those that others may carry come after these, and
 * among them a tunnel after what may carry it. What leads to a container through a bridge of this
 * network carries no tunnel: beside the tap of a rootless network it is not the uplink.
 */
export function decisionOrder(name: string, traits: Traits): number {
  if (isHostEnd(name, traits) && traits?.isBridgePort) return 4;
  if (isTunnel(name, traits)) return 3;
  if (isDialUp(name, traits)) return 2;
  return isHostEnd(name, traits) || isGuestPort(name, traits) || isUnknown(name, traits) ? 1 : 0;
}

/** Whether neither the kernel nor its name tells what it is. */
function isUnknown(name: string, traits: Traits): boolean {
  return traits === undefined && !isUplinkName(name);
}

function isUplinkName(name: string): boolean {
  return UPLINKS.some((glob) => matchesGlob(name, glob));
}

function isTunnel(name: string, traits: Traits): boolean {
  return TUNNEL_KINDS.has(traits?.kind ?? "") && !FALLBACK_TUNNELS.has(name);
}

/** Whether it may be the host's end of a container's link, or an uplink with such a name. */
function isHostEnd(name: string, traits: Traits): boolean {
  return isPair(traits) && !traits?.isStacked && HOST_ENDS.some((glob) => matchesGlob(name, glob));
}

function isPair(traits: Traits): boolean {
  return PAIR_KINDS.has(traits?.kind ?? "");
}

/** Whether it is a bridge port that does not look like the bridge's uplink. */
function isGuestPort(name: string, traits: Traits): boolean {
  return traits?.isBridgePort === true && !traits.hasDevice && !isUplinkName(name);
}

function decideByKind(name: string, traits: Traits, context: InterfaceContext): InterfaceDecision {
  if (traits?.isDeviceSlave) return ignored("already counted by the adapter that it is part of");
  if (traits?.kind === SWITCH_PORT) return ignored("switch port: its uplink is counted");
  if (traits?.hasDevice) {
    const glob = VIRTUAL_DEVICES.find((glob) => matchesGlob(name, glob));
    return glob === undefined ? counted("has a device") : ignored(`virtual: ${glob}`);
  }
  if (context.noDevices && context.isOnlyLink) {
    if (isTunnel(name, traits)) return counted("tunnel: the only link");
    if (isHostEnd(name, traits)) return counted(`kind ${traits?.kind}: the only link`);
  }
  return decideWithoutDevice(name, traits, context);
}

function decideWithoutDevice(
  name: string,
  traits: Traits,
  context: InterfaceContext,
): InterfaceDecision {
  const kind = traits?.kind;
  if (kind !== undefined && (VIRTUAL_KINDS.has(kind) || TUNNEL_KINDS.has(kind))) {
    return ignored(`virtual: kind ${kind}`);
  }
  const globs = kind === undefined ? VIRTUAL_NAMES : isPair(traits) ? HOST_ENDS : [];
  const glob = globs.find((glob) => matchesGlob(name, glob));
  if (glob !== undefined) return ignored(`virtual: ${glob}`);
  // PPPoE, L2TP and VPNs run inside another interface, a modem's link does not.
  if (isDialUp(name, traits)) {
    return context.hasTraffic
      ? ignored(`inside another interface: ${DIAL_UP.name}`)
      : counted(`separate link: ${DIAL_UP.name}`);
  }
  if (traits && !context.noDevices) return ignored("virtual: no device");
  if (isPair(traits) && traits?.isStacked) return ignored("virtual: both ends are here");
  if (isGuestPort(name, traits) && !context.isOnlyLink) return ignored("virtual: bridge port");
  if (traits?.isStacked) return ignored("virtual: on top of another interface");
  if (kind !== undefined) return counted(`kind ${kind}: no interface has a device`);
  const isAmongOthers = !context.noDevices || (isUnknown(name, traits) && !context.isOnlyLink);
  return counted(isAmongOthers ? KIND_UNKNOWN : "by name: no interface has a device");
}

function counted(rule: string): InterfaceDecision {
  return { counted: true, rule };
}

function ignored(rule: string): InterfaceDecision {
  return { counted: false, rule };
}
