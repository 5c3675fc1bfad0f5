import type { InterfaceTraits } from "../host/interface_traits.ts";
import { parseNetstatIb } from "../parse/netstat_ib.ts";
import type { Traffic } from "../types.ts";
import type { InterfaceGlobs } from "./interface_filter.ts";
import { type InterfaceStatus, NetworkCollector } from "./network.ts";
import type { PolledCommand } from "./polled_command.ts";
import type { TrafficTotal } from "./network.ts";

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

/**
 * Measures the traffic of a Mac's interfaces, from `netstat -ibn`.
 *
 * Rates are those between the last two outputs.
 */
export class DarwinNetworkCollector {
  readonly #netstat: PolledCommand;
  readonly #network: NetworkCollector;
  #atMs: number | undefined;
  #traffic: Traffic | undefined;

  constructor(netstat: PolledCommand, globs: InterfaceGlobs) {
    this.#netstat = netstat;
    this.#network = new NetworkCollector(netstat, darwinInterfaceTraits, {
      globs,
      readAtMs: () => netstat.atMs,
      parse: parseNetstatIb,
    });
  }

  /** @throws {Error} When `netstat` failed or its output is malformed. */
  collect(): Traffic | undefined {
    if (this.#netstat.read() === undefined) return undefined;
    // The same output twice would look like an interval without traffic.
    if (this.#netstat.atMs !== this.#atMs) {
      this.#traffic = this.#network.collect();
      this.#atMs = this.#netstat.atMs;
    }
    return this.#traffic;
  }

  /** See {@linkcode NetworkCollector.sample}. */
  sample(): number | undefined {
    return this.#network.sample();
  }

  /** Bytes of all counted interfaces. */
  get total(): TrafficTotal {
    return this.#network.total;
  }

  /** Decisions on all interfaces of the last sample. */
  interfaces(): InterfaceStatus[] {
    return this.#network.interfaces();
  }
}
