/** Where a service of the system has it. */
const OF_THE_SYSTEM = "/run/komari-agent-deno";

/**
 * Folders in memory where an agent may leave what concerns its present run only, the likeliest
 * first: systemd's, the system's for the superuser, the user's, and what every container has. Other
 * users can read the system's.
 */
export function runtimeFolders(
  { runtimeDir, userRuntimeDir }: { readonly runtimeDir: string; readonly userRuntimeDir: string },
): string[] {
  const uid = Deno.uid();
  return [
    runtimeDir,
    uid === 0 ? OF_THE_SYSTEM : "",
    userRuntimeDir,
    Deno.build.os === "linux" ? `/dev/shm/komari-agent-deno-${uid}` : "",
    uid === 0 ? "" : OF_THE_SYSTEM,
  ].filter((folder) => folder !== "");
}

/** Where the system keeps what a service remembers. */
const OF_THE_SYSTEM_STATE_FOLDER = "/var/lib/komari-agent-deno";

/**
 * The folder for what outlives the process: the one that was named, else the system's for the
 * superuser and whoever owns it, else the user's. Whether it can be used shows when it is.
 */
export function stateFolder(
  { stateDir, userStateDir }: { readonly stateDir: string; readonly userStateDir: string },
): string {
  if (stateDir !== "") return stateDir;
  if (userStateDir === "" || Deno.uid() === 0) return OF_THE_SYSTEM_STATE_FOLDER;
  return ownerOf(OF_THE_SYSTEM_STATE_FOLDER) === Deno.uid()
    ? OF_THE_SYSTEM_STATE_FOLDER
    : userStateDir;
}

function ownerOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).uid ?? undefined;
  } catch {
    return undefined;
  }
}
