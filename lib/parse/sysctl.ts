/**
 * Reads what macOS's `sysctl NAME…` prints: a line per name, `hw.ncpu: 8`.
 *
 * A name that the kernel doesn't know has no line, and none is in the answer. Lines without a colon
 * belong to nothing that is asked for and are skipped.
 */
export function parseSysctl(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^([\w.]+): ?(.*)$/.exec(line);
    if (match?.[1] !== undefined) values.set(match[1], (match[2] ?? "").trim());
  }
  return values;
}
