/** Writes `SHA256SUMS` beside files, in the form of `sha256sum`. */
export async function writeChecksums(folder: string, paths: readonly string[]): Promise<void> {
  const lines: string[] = [];
  for (const path of paths) {
    const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
    lines.push(`${new Uint8Array(digest).toHex()}  ${path.slice(path.lastIndexOf("/") + 1)}\n`);
  }
  await Deno.writeTextFile(`${folder}/SHA256SUMS`, lines.join(""));
}
