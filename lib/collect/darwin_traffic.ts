import { parseNetstatIb } from "../parse/netstat_ib.ts";
import type { Traffic } from "../types.ts";
import { darwinInterfaceTraits } from "./darwin_interface_traits.ts";
import type { InterfaceLists } from "./interface_choice.ts";
import type { LateText } from "./late_text.ts";
import { type InterfaceVerdict, Network } from "./network.ts";
import type { TrafficSum } from "./traffic_sum.ts";

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
