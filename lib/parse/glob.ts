/**
 * Matches a whole name against a glob: `*` is any text, `?` one character, everything else is
 * literal and case-sensitive.
 *
 * Takes at most time proportional to the product of both lengths.
 */
export function matchesGlob(name: string, pattern: string): boolean {
  let at = 0;
  let patternAt = 0;
  // Backtracking position: the last star takes one more character.
  let retryAt = -1;
  let retryPatternAt = -1;
  while (at < name.length) {
    const wanted = pattern[patternAt];
    if (wanted === "*") {
      retryAt = at;
      retryPatternAt = ++patternAt;
    } else if (wanted === "?" || (wanted !== undefined && wanted === name[at])) {
      at++;
      patternAt++;
    } else if (retryAt >= 0) {
      at = ++retryAt;
      patternAt = retryPatternAt;
    } else {
      return false;
    }
  }
  while (pattern[patternAt] === "*") patternAt++;
  return patternAt === pattern.length;
}
