/** Properties that are read; a device has about 50. */
const MAX_PROPERTIES = 500;

/** Parses the properties in `/run/udev/data/bMAJOR:MINOR`. */
export function parseUdevData(text: string): Map<string, string> {
  const properties = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, value = ""] = /^E:([A-Z0-9_]{1,64})=(.*)$/.exec(line) ?? [];
    if (name !== undefined && properties.size < MAX_PROPERTIES) properties.set(name, value);
  }
  return properties;
}
