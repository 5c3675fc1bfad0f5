import type { InterfaceTraits } from "../host/interface_traits.ts";
import { parseNetstatIb } from "../parse/netstat_ib.ts";
import type { Traffic } from "../types.ts";
import type { InterfaceLists } from "./interface_filter.ts";
import { type InterfaceVerdict, Network } from "./network.ts";
import type { LateText } from "./polled_command.ts";
import type { TrafficSum } from "./traffic_total.ts";

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

/**
 * Traffic of a Mac's interfaces, from `netstat -ibn`.
 *
 * Speeds are those between the last two outputs, by the times at which they came.
 */
export class DarwinTraffic {
  readonly #netstat: LateText;
  readonly #network: Network;
  #atMs: number | undefined;
  #traffic: Traffic | undefined;

  constructor(netstat: LateText, lists: InterfaceLists) {
    this.#netstat = netstat;
    this.#network = new Network(netstat, darwinInterfaceTraits, {
      lists,
      monotonicMs: () => netstat.atMs,
      parse: parseNetstatIb,
    });
  }

  /** @throws {Error} When the output can't be had or read. */
  collect(): Traffic | undefined {
    if (this.#netstat.read() === undefined) return undefined;
    // The same output once more would look like an interval without traffic.
    if (this.#netstat.atMs !== this.#atMs) {
      this.#traffic = this.#network.collect();
      this.#atMs = this.#netstat.atMs;
    }
    return this.#traffic;
  }

  /** As that of {@linkcode Network.look}. */
  look(): number | undefined {
    return this.#network.look();
  }

  /** What has passed so far. */
  get sum(): TrafficSum {
    return this.#network.sum;
  }

  /** What was decided for each interface that was there at the last look. */
  interfaces(): InterfaceVerdict[] {
    return this.#network.interfaces();
  }
}
