/**
 * Parent folder of an absolute path, without its trailing slash: empty for `/name` and for a bare name,
 * where `@std/path` gives `/` and `.`, which nothing can be appended to.
 */
export function dirname(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Last component of a path. */
export function basename(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
