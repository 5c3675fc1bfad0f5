import { parseLocalIpv4 } from "../parse/fib_trie.ts";
import { parseIfInet6 } from "../parse/if_inet6.ts";
import { addressBytes } from "../parse/ip_address.ts";
import { type Ipv4Route, parseRoutes } from "../parse/route.ts";
import type { InterfaceAddress, Source } from "./host.ts";

/**
 * The addresses of this machine's interfaces, from files that stay open: a sealed process may not ask
 * the kernel over netlink, as the runtime does.
 *
 * The interface of an IPv4 address is that which its network is reached by.
 */
export class InterfaceAddresses {
  readonly #ipv4: Source;
  readonly #routes: Source;
  readonly #ipv6: Source;

  /** @param open Opens a file of `/proc/net`. */
  constructor(open: (name: string) => Source) {
    this.#ipv4 = open("fib_trie");
    this.#routes = open("route");
    this.#ipv6 = open("if_inet6");
  }

  /**
   * All addresses, IPv4 before IPv6; `undefined` where the kernel has no such files.
   *
   * @throws {Error} When they can't be read or understood.
   */
  read(): InterfaceAddress[] | undefined {
    const trie = this.#ipv4.read();
    if (trie === undefined) return undefined;
    const routes = parseRoutes(this.#routes.read() ?? "");
    const ipv6 = parseIfInet6(this.#ipv6.read() ?? "");
    return [
      ...parseLocalIpv4(trie).map((address) => ({
        name: interfaceOf(address, routes),
        family: "IPv4" as const,
        address,
      })),
      ...ipv6.map((it) => ({ name: it.interface, family: "IPv6" as const, address: it.address })),
    ];
  }
}

/** The interface of the narrowest route to an address; empty when there is none. */
function interfaceOf(address: string, routes: readonly Ipv4Route[]): string {
  const bytes = addressBytes(address) ?? [];
  if (bytes[0] === 127) return "lo";
  const number = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  let best: Ipv4Route | undefined;
  for (const route of routes) {
    const isOn = ((number ^ route.destination) & route.mask) === 0;
    if (isOn && (best === undefined || route.mask > best.mask)) best = route;
  }
  return best?.interface ?? "";
}
