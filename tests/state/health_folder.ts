import { HealthFile, type HealthOptions } from "../../lib/state/health_file.ts";

/** What an agent tells of itself. */
export const ABOUT = { version: "1.2.3" };

/** The health file of an agent that runs until the block ends: `using file = …`. */
export function openHealth(
  folder: string,
  options: HealthOptions = ABOUT,
): HealthFile & Disposable {
  const file = HealthFile.open([folder], options);
  if (file === undefined) throw new Error("Cannot play an agent");
  return Object.assign(file, { [Symbol.dispose]: () => file.close() });
}
