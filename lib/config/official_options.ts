/**
 * Options that units written for the official agent have, and that are taken without any effect.
 *
 * @module
 */

import { number, type Option, toggle } from "./option.ts";

const NOTHING = "there is nothing for it to do here";

/** Part of the option table, apart for its length only. */
export const OFFICIAL_OPTIONS = {
  maxRetries: number({
    ...namesOfficialOptions("max-retries", "MAX_RETRIES"),
    short: "r",
    help: "Tries before falling back",
    noEffect: "it never gives up on the panel, so there are no tries to count",
    initial: 3,
    min: 0,
    max: 1_000_000,
    whole: true,
  }),
  autoUpdate: officialSwitch("autoUpdate", undefined, {
    help: "Of old versions",
    noEffect: NOTHING,
  }),
  memoryModeAvailable: officialSwitch("memory-mode-available", "MEMORY_MODE_AVAILABLE", {
    help: "Of old versions",
    noEffect: `${NOTHING}; see --memory-mode available`,
  }),
  showWarning: officialSwitch("show-warning", undefined, {
    help: "Of the Windows version",
    noEffect: NOTHING,
  }),
} as const;

interface OfficialRow {
  readonly help: string;
  readonly noEffect: string;
}

function officialSwitch(
  flag: string,
  variable: string | undefined,
  row: OfficialRow,
): Option<boolean> {
  return toggle({ ...namesOfficialOptions(flag, variable), ...row });
}

function namesOfficialOptions(flag: string, variable: string | undefined) {
  const group = "Of the official agent, without effect here" as const;
  if (variable === undefined) return { flag, group };
  return { flag, group, variable: `AGENT_${variable}`, key: variable.toLowerCase() };
}
