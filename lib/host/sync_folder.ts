/** Brings a folder's list of names to the disk, so that a rename in it outlives a power loss. */
export async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path);
  await folder.sync();
}
