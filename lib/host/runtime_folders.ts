import type { RuntimePlaces } from "../config/runtime_places.ts";

/**
 * Folders in memory where an agent may leave what concerns its present run only, the likeliest
 * first: systemd's, the system's for the superuser, the user's, and what every container has.
 */
export function runtimeFolders({ runtimeDir, userRuntimeDir }: RuntimePlaces): string[] {
  const uid = Deno.uid();
  return [
    runtimeDir,
    uid === 0 ? "/run/komari-agent-deno" : "",
    userRuntimeDir,
    Deno.build.os === "linux" ? `/dev/shm/komari-agent-deno-${uid}` : "",
  ].filter((folder) => folder !== "");
}
