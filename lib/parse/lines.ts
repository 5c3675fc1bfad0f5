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

/** Gets the error of a malformed line, which quotes it; the line is skipped if this returns. */
export type OnMalformed = (error: SyntaxError) => void;

/** The default: a malformed line is an error of the whole text. */
export function throwMalformed(error: SyntaxError): never {
  throw error;
}

/**
 * Parses each line that is not blank by itself. One for which `parse` returns `undefined` goes to
 * `onMalformed`; `source` names the file in its error.
 */
export function parseLines<T>(
  text: string,
  { source, parse, onMalformed }: {
    source: string;
    parse: (line: string) => T | undefined;
    onMalformed: OnMalformed;
  },
): T[] {
  const found: T[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const value = parse(line);
    if (value !== undefined) found.push(value);
    else onMalformed(new SyntaxError(`Cannot parse ${source}: "${firstLine(line)}"`));
  }
  return found;
}
