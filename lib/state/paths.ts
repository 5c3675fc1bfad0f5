import { attempt } from "../attempt.ts";
import { PROGRAM } from "../version.ts";

/** Runtime folder of a system service. */
const SYSTEM_RUNTIME_FOLDER = `/run/${PROGRAM}`;

/**
 * Folders in memory for files of the current run, the likeliest first: the one that
 * `$RUNTIME_DIRECTORY` names, alone, as in a service; else the system's for the superuser, the user's,
 * and one that every container has. Other users can read the system's.
 */
export function runtimeFolders(
  { runtimeDir, userRuntimeDir }: { readonly runtimeDir: string; readonly userRuntimeDir: string },
): string[] {
  if (runtimeDir !== "") return [runtimeDir];
  const uid = Deno.uid();
  return [
    uid === 0 ? SYSTEM_RUNTIME_FOLDER : "",
    userRuntimeDir,
    Deno.build.os === "linux" ? `/dev/shm/${PROGRAM}-${uid}` : "",
    uid === 0 ? "" : SYSTEM_RUNTIME_FOLDER,
  ].filter((folder) => folder !== "");
}

/** State folder of a system service. */
const SYSTEM_STATE_FOLDER = `/var/lib/${PROGRAM}`;

/**
 * The folder for persistent state: the configured one, else the system's for the superuser and for
 * its owner, else the user's. It may not exist yet.
 */
export function stateFolder(
  { stateDir, userStateDir }: { readonly stateDir: string; readonly userStateDir: string },
): string {
  if (stateDir !== "") return stateDir;
  if (userStateDir === "" || Deno.uid() === 0) return SYSTEM_STATE_FOLDER;
  return ownerOf(SYSTEM_STATE_FOLDER) === Deno.uid() ? SYSTEM_STATE_FOLDER : userStateDir;
}

function ownerOf(path: string): number | undefined {
  return attempt(() => Deno.statSync(path).uid ?? undefined);
}

/** Whether an agent keeps anything in its {@linkcode stateFolder}: the month's traffic, or its node. */
export function keepsState(
  { monthRotate, autoDiscoveryKey }: {
    readonly monthRotate: number;
    readonly autoDiscoveryKey: string;
  },
): boolean {
  return monthRotate !== 0 || autoDiscoveryKey !== "";
}
