const FORM = /^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;

/** The version of a tag, without `v`; `undefined` for pre-releases and other tags. */
export function stableVersionOf(tag: string): string | undefined {
  const [, major, minor, patch, preview] = FORM.exec(tag) ?? [];
  if (major === undefined || preview !== undefined) return undefined;
  return [major, minor, patch].map(Number).join(".");
}

/**
 * Whether a stable version is newer than the current one, by semantic versioning. False when either
 * is no version.
 */
export function isNewerVersion(stable: string, currentVersion: string): boolean {
  const [whole, ...theirs] = FORM.exec(stable) ?? [];
  const [found, ...ours] = FORM.exec(currentVersion) ?? [];
  if (whole === undefined || found === undefined || theirs[3] !== undefined) return false;
  for (let part = 0; part < 3; part++) {
    const difference = Number(theirs[part]) - Number(ours[part]);
    if (difference !== 0) return difference > 0;
  }
  return ours[3] !== undefined;
}
