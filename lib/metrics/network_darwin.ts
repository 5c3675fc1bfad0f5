import type { InterfaceTraits } from "../host/interface_traits.ts";

/** Interface names of Ethernet and Wi-Fi (`en`) and FireWire (`fw`) drivers. */
const DEVICES = /^(?:en|fw)\d+$/;
const TUNNELS = /^(?:utun|ipsec|gif|stf|tun|tap|feth)\d+$/;
/** AirDrop and similar services use the radio of an `en`; VLANs and bonds are on top of one. */
const STACKED = /^(?:awdl|llw|ap|p2p|anpi|vlan|bond)\d+$/;

/** Traits of an interface by its name, which on macOS is that of its driver. */
export function darwinInterfaceTraits(name: string): InterfaceTraits {
  return {
    device: DEVICES.test(name),
    // The members of a bond are counted instead.
    bond: false,
    bondSlave: false,
    bridge: /^bridge\d+$/.test(name),
    tunnel: TUNNELS.test(name),
    stacked: STACKED.test(name),
  };
}
