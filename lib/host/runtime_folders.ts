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
