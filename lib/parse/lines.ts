/** Malformed text may have no line ends at all. */
const MAX_LENGTH = 120;

/** The start of a text's first line, for an error message: at most 120 characters. */
export function firstLine(text: string): string {
  const end = text.indexOf("\n");
  return text.slice(0, Math.min(end === -1 ? text.length : end, MAX_LENGTH));
}

/** The first line that begins with `start`, without its line feed; `undefined` when there is none. */
export function findLine(text: string, start: string): string | undefined {
  const at = text.startsWith(start) ? 0 : text.indexOf(`\n${start}`) + 1;
  if (at === 0 && !text.startsWith(start)) return undefined;
  const end = text.indexOf("\n", at);
  return text.slice(at, end === -1 ? undefined : end);
}
