/**
 * Parses the output of macOS's `sysctl NAME…`: a line per name, `hw.ncpu: 8`.
 *
 * Names unknown to the kernel have no line. Lines without a colon are skipped.
 */
export function parseSysctl(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^([\w.]+): ?(.*)$/.exec(line);
    if (match?.[1] !== undefined) values.set(match[1], (match[2] ?? "").trim());
  }
  return values;
}
