/** With these characters a part begins that is more than one letter. */
const SPECIAL = "*?[\\";

/** Whether a character matches; `undefined` stands for any text. */
type Part = ((char: string) => boolean) | undefined;

/**
 * Matches a whole name against a pattern, with the rules of Go's `filepath.Match`: `*` is any text, `?`
 * one character, `[a-z]` one of these, `[^a-z]` none of them, and a backslash takes the next character as
 * it is. Everything else is literal and case-sensitive. No name has a slash.
 *
 * Takes at most time proportional to the product of both lengths.
 *
 * @throws {SyntaxError} When it meets a malformed part, which {@linkcode checkGlob} finds anywhere.
 */
export function matchesGlob(name: string, pattern: string): boolean {
  const first = pattern[0];
  // Most patterns begin with another letter, and reading one takes ten times as long as this.
  if (first !== undefined && first !== name[0] && !SPECIAL.includes(first)) return false;
  const parts = parseGlob(pattern);
  const chars = [...name];
  let at = 0;
  let partAt = 0;
  // Backtracking position: the last star takes one more character.
  let retryAt = -1;
  let retryPartAt = -1;
  while (at < chars.length) {
    const part = parts[partAt];
    if (partAt < parts.length && part === undefined) {
      retryAt = at;
      retryPartAt = ++partAt;
    } else if (part?.(chars[at] ?? "")) {
      at++;
      partAt++;
    } else if (retryAt >= 0) {
      at = ++retryAt;
      partAt = retryPartAt;
    } else {
      return false;
    }
  }
  while (partAt < parts.length && parts[partAt] === undefined) partAt++;
  return partAt === parts.length;
}

/** @throws {SyntaxError} When a pattern is malformed: what is wrong with it. */
export function checkGlob(pattern: string): void {
  parseGlob(pattern);
}

function parseGlob(pattern: string): Part[] {
  const chars = [...pattern];
  const parts: Part[] = [];
  while (chars.length > 0) {
    const char = chars.shift();
    if (char === "*") parts.push(undefined);
    else if (char === "?") parts.push(() => true);
    else if (char === "[") parts.push(parseClass(chars));
    else {
      const literal = char === "\\" ? chars.shift() : char;
      if (literal === undefined) throw new SyntaxError("a backslash at the end takes no character");
      parts.push((it) => it === literal);
    }
  }
  return parts;
}

/** Parses the rest of a class, behind its bracket, and takes it from the characters. */
function parseClass(chars: string[]): (char: string) => boolean {
  const isNegated = chars[0] === "^";
  if (isNegated) chars.shift();
  const ranges: [low: string, high: string][] = [];
  while (chars[0] !== "]" || ranges.length === 0) {
    const low = takeOfClass(chars);
    if (chars[0] !== "-") {
      ranges.push([low, low]);
      continue;
    }
    chars.shift();
    ranges.push([low, takeOfClass(chars)]);
  }
  chars.shift();
  return (char) => ranges.some(([low, high]) => low <= char && char <= high) !== isNegated;
}

/** Takes one end of a range. */
function takeOfClass(chars: string[]): string {
  const char = chars.shift();
  if (char === "-" || char === "]") {
    throw new SyntaxError(`"${char}" in brackets needs a backslash before it`);
  }
  const taken = char === "\\" ? chars.shift() : char;
  // Its closing bracket is still to come.
  if (taken === undefined || chars.length === 0) throw new SyntaxError("a bracket is not closed");
  return taken;
}
