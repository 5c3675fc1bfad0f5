const FORM = /^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;

/** The version that a tag names, without its `v`; `undefined` when it is none, or not a stable one. */
export function stableVersionOf(tag: string): string | undefined {
  const [, major, minor, patch, preview] = FORM.exec(tag) ?? [];
  if (major === undefined || preview !== undefined) return undefined;
  return [major, minor, patch].map(Number).join(".");
}

/**
 * Whether a stable version comes after the present one, by the order of semantic versioning; a
 * preview comes before what it is a preview of. What is no version comes after nothing, and nothing
 * after it.
 */
export function isNewerVersion(stable: string, present: string): boolean {
  const [whole, ...theirs] = FORM.exec(stable) ?? [];
  const [found, ...ours] = FORM.exec(present) ?? [];
  if (whole === undefined || found === undefined || theirs[3] !== undefined) return false;
  for (let part = 0; part < 3; part++) {
    const difference = Number(theirs[part]) - Number(ours[part]);
    if (difference !== 0) return difference > 0;
  }
  return ours[3] !== undefined;
}
