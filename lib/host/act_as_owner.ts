/**
 * Lets root act as a folder's owner from now on, for the rest of the process's life.
 *
 * What root made in an agent's folder the agent could not read, and a link that the agent has put
 * there could lead root anywhere. Nothing changes for others, and where there is no such folder.
 *
 * @throws {Error} When the system does not allow it.
 */
export async function actAsOwner(folder: string): Promise<void> {
  const owner = Deno.uid() === 0 ? ownerOf(folder) : undefined;
  if (owner === undefined || owner.uid === 0) return;
  const { default: process } = await import("node:process");
  // The group first: whoever is not root can't change it any more.
  process.setegid?.(owner.gid);
  process.seteuid?.(owner.uid);
  if (process.geteuid?.() !== owner.uid) {
    throw new Error(`Cannot act as the owner of ${folder}, user ${owner.uid}`);
  }
}

function ownerOf(folder: string): { uid: number; gid: number } | undefined {
  try {
    const { uid, gid } = Deno.statSync(folder);
    return uid === null || gid === null ? undefined : { uid, gid };
  } catch {
    return undefined;
  }
}
