import { ipFamily } from "./ip_address.ts";

/**
 * The addresses that `/etc/hosts` gives a name, in its order; none when it does not know it.
 *
 * Lines that can't be read are passed over, as the system does it.
 */
export function hostsFileAddresses(text: string, host: string): string[] {
  const wanted = host.toLowerCase();
  const addresses: string[] = [];
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (ipFamily(address) === undefined) continue;
    if (names.some((name) => name.toLowerCase() === wanted)) addresses.push(address);
  }
  return addresses;
}
