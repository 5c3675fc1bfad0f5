import type { MemoryMode } from "../types.ts";
import type { Find, PickValue } from "./found.ts";
import { OPTIONS } from "./options.ts";

/** The mode by its own name; else by the official switches, in whichever place is stronger. */
export function pickMemoryMode(find: Find, pick: PickValue): MemoryMode {
  if (find(OPTIONS.memoryMode) !== undefined) return pick(OPTIONS.memoryMode);
  return pick(OPTIONS.memoryIncludeCache) && !pick(OPTIONS.memoryExcludeBcf)
    ? "all"
    : OPTIONS.memoryMode.initial;
}
