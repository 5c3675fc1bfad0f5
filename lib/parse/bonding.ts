/** Parses `/proc/net/bonding/NAME`: the names of the bond's slaves, in its order. */
export function parseBondSlaves(text: string): string[] {
  return Array.from(text.matchAll(/^Slave Interface: (\S+)$/gm), ([, name = ""]) => name);
}
