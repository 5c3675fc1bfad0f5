import type { PickValue } from "./found.ts";
import { OPTIONS } from "./options.ts";

/** What was asked about newer versions. */
export interface UpdateConfig {
  readonly automatic: boolean;
  /** Empty when the project's own releases are meant. */
  readonly url: string;
  /** Without a slash at its end; empty when there is none. */
  readonly mirror: string;
  readonly check: boolean;
  readonly now: boolean;
}

/** Picks what is about newer versions. @throws {UsageError} When a value can't be used. */
export function pickUpdate(pick: PickValue): UpdateConfig {
  return {
    automatic: !pick(OPTIONS.disableAutoUpdate),
    url: pick(OPTIONS.updateUrl),
    mirror: pick(OPTIONS.mirror),
    check: pick(OPTIONS.check),
    now: pick(OPTIONS.now),
  };
}
