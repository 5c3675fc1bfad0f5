import type { InterfaceAddress } from "../host/host.ts";
import { addressScope, isPublicAddress } from "../parse/ip_address.ts";

/**
 * The machine's own public address of a family and the interface that has it; that of a counted
 * interface before others'.
 *
 * Others count too, since on a host of virtual machines the bridge has the address, not the card in it.
 */
export function ownPublicAddress(
  addresses: readonly InterfaceAddress[],
  family: InterfaceAddress["family"],
  options: { isCounted: (name: string) => boolean },
): InterfaceAddress | undefined {
  const usable = addresses.filter((it) => it.family === family && isPublicAddress(it.address));
  return usable.find(({ name }) => options.isCounted(name)) ?? usable[0];
}

/**
 * What stays the same while the machine is at the same place in the network: its addresses but those
 * that every interface gives itself, which come and go with containers.
 */
export function placeInNetwork(addresses: readonly InterfaceAddress[]): string {
  const lasting = addresses.filter(({ address }) => {
    const scope = addressScope(address);
    return scope !== "loopback" && scope !== "link-local";
  });
  return lasting.map(({ name, address }) => `${name} ${address}`).sort().join("\n");
}
