import type { Find, PickValue } from "./found.ts";
import { givenOptions } from "./given.ts";
import { OPTIONS } from "./options.ts";

/** What was asked of `install` and `uninstall`. */
export interface InstallConfig {
  /** Nothing is done, only told. */
  readonly print: boolean;
  /** `undefined` where nothing was said: what was installed before stays then. */
  readonly asRoot: boolean | undefined;
  readonly replace: boolean;
  readonly restore: boolean;
  /** Empty when the usual one is meant. */
  readonly folder: string;
  readonly serviceName: string;
  /** What the service is to be given, by the keys of the configuration file, without the token. */
  readonly given: ReadonlyMap<string, string>;
  /** What the installed configuration says and what does not count, for it is another user's. */
  readonly passedOver: ReadonlyMap<string, string>;
}

/** Picks what is about installing. @throws {UsageError} When a value can't be used. */
export function pickInstall(
  { find, pick }: { find: Find; pick: PickValue },
  { passedOver }: Pick<InstallConfig, "passedOver">,
): InstallConfig {
  return {
    print: pick(OPTIONS.print),
    asRoot: find(OPTIONS.asRoot) === undefined ? undefined : pick(OPTIONS.asRoot),
    replace: pick(OPTIONS.replace),
    restore: pick(OPTIONS.restore),
    folder: pick(OPTIONS.installDir),
    serviceName: pick(OPTIONS.installServiceName),
    given: givenOptions(find),
    passedOver,
  };
}
