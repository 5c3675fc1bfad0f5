const FIELD = /^([a-z]\w{0,63}) (\d{1,20})$/gm;

/** Parses `/proc/vmstat`: events since boot and pages by name; a line that is neither has no entry. */
export function parseVmstat(text: string): Map<string, number> {
  return new Map(
    Array.from(text.matchAll(FIELD), ([, name = "", value]) => [name, Number(value)]),
  );
}
