import type { InterfaceTraits } from "../host/interface_traits.ts";

/** macOS names its interfaces by their driver: Ethernet and Wi-Fi are `en`, FireWire is `fw`. */
const DEVICES = /^(?:en|fw)\d+$/;
const TUNNELS = /^(?:utun|ipsec|gif|stf|tun|tap|feth)\d+$/;
/** AirDrop and its like send by the radio of an `en`; a VLAN or a bond lies over one. */
const STACKED = /^(?:awdl|llw|ap|p2p|anpi|vlan|bond)\d+$/;

/** What an interface's name tells of its kind on macOS. */
export function darwinInterfaceTraits(name: string): InterfaceTraits {
  return {
    device: DEVICES.test(name),
    // A bond's members are counted, so it is not.
    bond: false,
    bondSlave: false,
    bridge: /^bridge\d+$/.test(name),
    tunnel: TUNNELS.test(name),
    stacked: STACKED.test(name),
  };
}
