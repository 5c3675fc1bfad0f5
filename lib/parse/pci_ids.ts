/** What a device is called in the list of PCI ids; `undefined` is what the list does not know. */
export interface PciNames {
  vendor: string | undefined;
  device: string | undefined;
}

/**
 * Looks a device up in the text of `pci.ids`, where a vendor's line starts with its four hex
 * digits and its devices follow, each behind a tab.
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

/** From a vendor's line up to the next vendor's. */
function vendorSection(text: string, start: number): string {
  let end = text.indexOf("\n", start);
  while (end !== -1 && (text[end + 1] === "\t" || text[end + 1] === "#")) {
    end = text.indexOf("\n", end + 1);
  }
  return text.slice(start, end === -1 ? text.length : end);
}

/** What follows four digits and two spaces. */
function nameAt(section: string, at: number): string | undefined {
  if (at === 1) return undefined;
  const end = section.indexOf("\n", at);
  const name = section.slice(at + 6, end === -1 ? section.length : end).trim();
  return name === "" ? undefined : name;
}
