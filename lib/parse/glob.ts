/** A character of a class: bracket, hyphen and backslash only behind a backslash. */
const OF_CLASS = String.raw`(?:\\[^]|[^\\\]-])`;
const CLASS = String.raw`\[(?:\^|(?!\^))(?:${OF_CLASS}(?:-${OF_CLASS})?)+\]`;
/** A class, a character behind a backslash, or another one. */
const PARTS = new RegExp(String.raw`${CLASS}|\\[^]|[^\\[]`, "gu");

/**
 * Matches a whole name against a pattern, with the rules of Go's `filepath.Match`: `*` is any text, `?`
 * one character, `[a-z]` one of these, `[^a-z]` none of them, and a backslash takes the next character as
 * it is. Everything else is literal and case-sensitive. No name has a slash.
 *
 * @throws {SyntaxError} When the pattern is malformed.
 */
export function matchesGlob(name: string, pattern: string): boolean {
  const first = pattern[0];
  // Most patterns begin with another letter, and reading one takes ten times as long as this.
  if (first !== undefined && first !== name[0] && !"*?[\\".includes(first)) return false;
  return parseGlob(pattern).test(name);
}

/** The pattern that matches a name alone. */
export function escapeGlob(name: string): string {
  return name.replace(/[*?[\\]/g, "\\$&");
}

/** The pattern as a regular expression. @throws {SyntaxError} When it is malformed. */
export function parseGlob(pattern: string): RegExp {
  const parts = pattern.match(PARTS) ?? [];
  if (parts.join("") !== pattern) {
    throw new SyntaxError('"[" is not closed, or "-", "]" or "\\" lacks a backslash before it');
  }
  return new RegExp(`^${parts.map(expressionOf).join("")}$`, "u");
}

function expressionOf(part: string): string {
  if (part === "*") return ".*";
  if (part === "?") return ".";
  const isClass = part.startsWith("[");
  const [, start = "", characters = part] = /^(\[\^?)(.*)\]$/su.exec(part) ?? [];
  // The hyphens of ranges stay.
  const literals = characters.replace(
    isClass ? /\\(.)|[^-]/gsu : /\\?(.)/gsu,
    (character, behind: string | undefined) => RegExp.escape(behind ?? character),
  );
  return isClass ? `${start}${literals}]` : literals;
}
