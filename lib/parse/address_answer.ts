import { ipFamily, isPublicAddress } from "./ip_address.ts";

/**
 * The caller's public address in a service's answer: the address alone, or a line `ip=ADDRESS`.
 *
 * `undefined` when there is none of the wanted family that the whole internet can reach, as in a login page.
 */
export function parseAddressAnswer(text: string, family: 4 | 6): string | undefined {
  const trimmed = text.trim();
  const line = trimmed.split("\n").find((line) => line.startsWith("ip="));
  const address = line === undefined ? trimmed : line.slice("ip=".length).trim();
  return ipFamily(address) === family && isPublicAddress(address) ? address : undefined;
}
