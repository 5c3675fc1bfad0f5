/** A file that an official agent has left. */
export interface OfficialFile {
  readonly path: string;
  readonly text: string;
}

/** The first of these files that is there and not too large; `undefined` when none is. */
export function readOfficialFile(
  paths: readonly string[],
  { maxBytes }: { maxBytes: number },
): OfficialFile | undefined {
  for (const path of paths) {
    try {
      const { isFile, size } = Deno.statSync(path);
      if (isFile && size <= maxBytes) return { path, text: Deno.readTextFileSync(path) };
    } catch {
      // There is none, or it is not for us.
    }
  }
  return undefined;
}
