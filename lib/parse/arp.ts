/** Counts the entries of `/proc/net/arp` by their interface. */
export function countArpEntries(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of text.split("\n").slice(1)) {
    const device = line.trim().split(/ +/)[5];
    if (device !== undefined) counts.set(device, (counts.get(device) ?? 0) + 1);
  }
  return counts;
}
