import { servicePlaces } from "../service/service_places.ts";

/** Where this user's installed service may have its configuration, and then the machine's. */
export function installedConfigs(
  name: string,
  env: Readonly<Record<string, string>>,
): readonly string[] {
  const { HOME = "" } = env;
  const owner = { home: HOME, userRuntimeDir: "", os: Deno.build.os };
  const ofSystem = servicePlaces(name, { ...owner, scope: "system" }).config;
  if (Deno.uid() === 0 || !HOME.startsWith("/")) return [ofSystem];
  return [servicePlaces(name, { ...owner, scope: "user" }).config, ofSystem];
}
