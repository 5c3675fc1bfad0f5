const made = new Map<string, Promise<string>>();
const folders: string[] = [];
globalThis.addEventListener("unload", () => {
  for (const folder of folders) Deno.removeSync(folder, { recursive: true });
});

/**
 * The folder of a name, which the first test of a file fills, in seconds, and the others only read; it
 * goes when the file has ended.
 */
export function folderOfFile(
  name: string,
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  return made.getOrInsertComputed(name, async () => {
    const folder = await Deno.makeTempDir({ prefix: `komari-agent-deno-${name}-` });
    folders.push(folder);
    await Deno.chmod(folder, 0o755);
    await fill(folder);
    return folder;
  });
}
