import type { ServiceManager } from "../service/managed_service.ts";
import type { Site } from "./site.ts";

/**
 * Why a user's own service manager can't be asked for anything; `undefined` when it answers, and
 * for the machine's.
 *
 * It runs while the user is logged in, and whoever has become that user by `sudo -u` or `setpriv`
 * is not.
 */
export async function managerTrouble(
  { ofUser }: Pick<ServiceManager, "ofUser">,
  { tools }: Pick<Site, "tools">,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (ofUser === undefined) return undefined;
  const { code, output } = await tools.run(ofUser.answers, { signal });
  if (code === 0) return undefined;
  return output.trim().split("\n").at(-1) || `${ofUser.answers.tool} ended with code ${code}`;
}
