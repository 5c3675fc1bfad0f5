/**
 * The SHA-256 of a file by a list that `sha256sum` has written, in small hexadecimal digits;
 * `undefined` when the file is not in it, or twice with different ones.
 */
export function findSha256(sums: string, name: string): string | undefined {
  const found = new Set<string>();
  for (const line of sums.split(/\r?\n/)) {
    const [, sum, file] = /^([0-9a-f]{64}) [ *](.+)$/i.exec(line) ?? [];
    if (sum !== undefined && file === name) found.add(sum.toLowerCase());
  }
  return found.size === 1 ? [...found][0] : undefined;
}
