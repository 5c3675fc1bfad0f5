import type { InterfaceTraits } from "../host/interface_traits.ts";
import { parseNetstatIb } from "../parse/netstat_ib.ts";
import type { Traffic } from "../types.ts";
import type { InterfaceGlobs } from "./interface_filter.ts";
import { type InterfaceStatus, NetworkCollector } from "./network.ts";
import type { PolledCommand } from "./polled_command.ts";
import type { TrafficTotal } from "./traffic_total.ts";

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
export class DarwinNetworkCollector {
  readonly #netstat: PolledCommand;
  readonly #network: NetworkCollector;
  #atMs: number | undefined;
  #traffic: Traffic | undefined;

  constructor(netstat: PolledCommand, lists: InterfaceGlobs) {
    this.#netstat = netstat;
    this.#network = new NetworkCollector(netstat, darwinInterfaceTraits, {
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

  /** As that of {@linkcode NetworkCollector.sample}. */
  sample(): number | undefined {
    return this.#network.sample();
  }

  /** What has passed so far. */
  get total(): TrafficTotal {
    return this.#network.total;
  }

  /** What was decided for each interface that was there at the last look. */
  interfaces(): InterfaceStatus[] {
    return this.#network.interfaces();
  }
}
