import type { Find } from "./found.ts";
import type { Option } from "./option.ts";
import { OPTIONS } from "./options.ts";

/** Options that say where other options are, and not what the agent does. */
const PLACES: readonly Option<unknown>[] = [OPTIONS.config, OPTIONS.token, OPTIONS.tokenFile];

/**
 * What was asked for in any place, by the keys of the configuration file: what a service has to be
 * given to do the same. The token is not among it, since it may stand in a file of its own.
 */
export function givenOptions(find: Find): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  const rows: readonly Option<unknown>[] = Object.values(OPTIONS);
  for (const option of rows) {
    const found = option.key === undefined || PLACES.includes(option) ? undefined : find(option);
    if (option.key !== undefined && found !== undefined) given.set(option.key, found.text);
  }
  return given;
}
