/** A kernel's number of at most 64 bits without a sign; `undefined` for anything else. */
export function parseCount(word: string | undefined): number | undefined {
  return word !== undefined && /^\d{1,20}$/.test(word) ? Number(word) : undefined;
}

/** Words of a line that all are such numbers; `undefined` when one of them is none. */
export function parseCounts(words: readonly string[]): number[] | undefined {
  const counts: number[] = [];
  for (const word of words) {
    const count = parseCount(word);
    if (count === undefined) return undefined;
    counts.push(count);
  }
  return counts;
}
