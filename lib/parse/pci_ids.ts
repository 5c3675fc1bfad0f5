/** Names of a device in `pci.ids`; `undefined` where the list has none. */
export interface PciNames {
  vendor: string | undefined;
  device: string | undefined;
}

/**
 * Looks up a device in the text of `pci.ids`: a vendor's line starts with four hex digits, its
 * devices follow, indented by a tab.
 */
export function lookupPciNames(text: string, id: { vendor: string; device: string }): PciNames {
  const vendorAt = text.indexOf(`\n${id.vendor}  `);
  if (vendorAt === -1) return { vendor: undefined, device: undefined };
  const section = vendorSection(text, vendorAt + 1);
  return {
    vendor: nameAt(section, 0),
    device: nameAt(section, section.indexOf(`\n\t${id.device}  `) + 2),
  };
}

/** Text from a vendor's line to the next vendor. */
function vendorSection(text: string, start: number): string {
  let end = text.indexOf("\n", start);
  while (end !== -1 && (text[end + 1] === "\t" || text[end + 1] === "#")) {
    end = text.indexOf("\n", end + 1);
  }
  return text.slice(start, end === -1 ? text.length : end);
}

/** Text after four hex digits and two spaces. */
function nameAt(section: string, at: number): string | undefined {
  if (at === 1) return undefined;
  const end = section.indexOf("\n", at);
  const name = section.slice(at + 6, end === -1 ? section.length : end).trim();
  return name === "" ? undefined : name;
}
