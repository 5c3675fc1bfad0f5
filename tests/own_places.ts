/**
 * Variables that give a started program a home, a runtime and a state folder below `folder`.
 *
 * The runtime folder has the health file of an agent that was killed: where there is none, commands
 * look for a running agent in the machine's own folders.
 */
export function ownPlaces(folder: string): Record<string, string> {
  const places = {
    HOME: folder,
    RUNTIME_DIRECTORY: `${folder}/run`,
    STATE_DIRECTORY: `${folder}/state`,
  };
  for (const path of [places.RUNTIME_DIRECTORY, places.STATE_DIRECTORY]) {
    Deno.mkdirSync(path, { recursive: true });
  }
  try {
    Deno.writeTextFileSync(`${places.RUNTIME_DIRECTORY}/health`, KILLED, { createNew: true });
  } catch {
    // The test has put one there.
  }
  // Else the runtime would keep what it compiles below the new home.
  const denoDir = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  return { ...places, DENO_DIR: denoDir };
}

const KILLED = JSON.stringify({ pid: 7, version: "1.2.3", intervalMs: 3000, seal: "" });
