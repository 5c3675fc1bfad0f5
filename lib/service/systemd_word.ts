/**
 * A word as a unit file's command lines and lists of variables take it.
 *
 * Quotes and backslashes are escaped as in C, and a percent sign is doubled, since it names the
 * unit's own values otherwise.
 */
export function systemdWord(word: string): string {
  if (/^[A-Za-z0-9_.,:=@/+-]+$/.test(word)) return word;
  return `"${systemdPath(word).replace(/["\\]/g, "\\$&")}"`;
}

/** A word of a command line after the first, where a dollar sign names a variable too. */
export function systemdArgument(word: string): string {
  return systemdWord(word).replaceAll("$", "$$$$");
}

/** A path that is the whole value of a line. */
export function systemdPath(path: string): string {
  return path.replaceAll("%", "%%");
}
