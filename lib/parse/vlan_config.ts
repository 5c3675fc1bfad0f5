/** Parses `/proc/net/vlan/config`: the names of the VLANs, without the heading lines. */
export function parseVlanNames(text: string): string[] {
  // NAME | ID | INTERFACE; a name of 15 characters touches the bar.
  return Array.from(text.matchAll(/^(\S+?) *\| *\d+ *\| *\S+$/gm), ([, name = ""]) => name);
}
