import { isThere } from "./is_there.ts";

/**
 * Folders that are not there yet on the way to these paths, the deepest first; so they can be taken
 * away again when nothing else has come into them.
 */
export function missingFolders(paths: readonly string[], { root }: { root: string }): string[] {
  const missing = new Set<string>();
  for (const path of paths) {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const folder = path.slice(0, end);
      if (isThere(root + folder)) break;
      missing.add(folder);
    }
  }
  return [...missing].sort((one, other) => other.length - one.length);
}
