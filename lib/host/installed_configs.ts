import { type ServicePlaces, servicePlaces } from "../service/service_places.ts";
import { readInstallRecord } from "./installed.ts";

/** Where this user's installed service may have its configuration, and then the machine's. */
export function installedConfigs(
  name: string,
  env: Readonly<Record<string, string>>,
): readonly string[] {
  return placesOf(name, env).map(({ config }) => config);
}

/**
 * What was told to `install` that root goes by, by keys, from the first record that there is; it
 * belongs to whoever has installed the service, and not to its user.
 */
export function installedTold(
  name: string,
  env: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  for (const { record } of placesOf(name, env)) {
    try {
      const told = readInstallRecord(record)?.told;
      if (told !== undefined) return new Map(Object.entries(told));
    } catch {
      // It can't be read, or is none: then nothing is known.
    }
  }
  return new Map();
}

function placesOf(name: string, { HOME = "" }: Readonly<Record<string, string>>): ServicePlaces[] {
  const owner = { home: HOME, userRuntimeDir: "", os: Deno.build.os };
  const ofSystem = servicePlaces(name, { ...owner, scope: "system" });
  if (Deno.uid() === 0 || !HOME.startsWith("/")) return [ofSystem];
  return [servicePlaces(name, { ...owner, scope: "user" }), ofSystem];
}
