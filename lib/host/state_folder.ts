import type { StatePlaces } from "../config/state_places.ts";

/** Where the system keeps what a service remembers. */
const OF_THE_SYSTEM = "/var/lib/komari-agent-deno";

/**
 * The folder for what outlives the process: the one that was named, else the system's for the
 * superuser and whoever owns it, else the user's. Whether it can be used shows when it is.
 */
export function stateFolder({ stateDir, userStateDir }: StatePlaces): string {
  if (stateDir !== "") return stateDir;
  if (userStateDir === "" || Deno.uid() === 0) return OF_THE_SYSTEM;
  return ownerOf(OF_THE_SYSTEM) === Deno.uid() ? OF_THE_SYSTEM : userStateDir;
}

function ownerOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).uid ?? undefined;
  } catch {
    return undefined;
  }
}
