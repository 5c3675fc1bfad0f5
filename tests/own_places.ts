import { existsSync } from "node:fs";
import { HealthFile } from "../lib/state/health_file.ts";

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
  leaveKilledAgent(places.RUNTIME_DIRECTORY);
  // Else the runtime would keep what it compiles below the new home.
  const denoDir = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  return { ...places, DENO_DIR: denoDir };
}

/** Leaves the health file of an agent that was killed, unless the test has put one there. */
export function leaveKilledAgent(folder: string): void {
  const path = `${folder}/health`;
  if (existsSync(path)) return;
  const health = HealthFile.open([folder], { version: "1.2.3" });
  if (health === undefined) throw new Error(`Cannot write ${path}`);
  // One that ends in good order removes its file.
  Deno.linkSync(path, `${path}.kept`);
  health.close();
  Deno.renameSync(`${path}.kept`, path);
}
