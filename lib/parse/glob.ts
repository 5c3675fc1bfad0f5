/**
 * Whether a whole name matches a glob: `*` stands for any text, `?` for one character.
 *
 * Everything else stands for itself, case included. The time grows with the product of the lengths
 * at worst, whatever the pattern.
 */
export function matchesGlob(name: string, pattern: string): boolean {
  let at = 0;
  let patternAt = 0;
  // Where to go on when what follows the last star did not fit: one character further.
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
