/**
 * Options about the month's traffic.
 *
 * @module
 */

import { parseByteCount } from "../parse/byte_count.ts";
import { checked, number } from "./option.ts";

const GROUP_MONTH_OPTIONS = "Monthly traffic";

/** Part of the option table, apart for its length only. */
export const MONTH_OPTIONS = {
  monthRotate: number({
    flag: "month-rotate",
    variable: "AGENT_MONTH_ROTATE",
    key: "month_rotate",
    placeholder: "DAY",
    group: GROUP_MONTH_OPTIONS,
    help:
      "Report the traffic since this day of the month, 1 to 31; 0 reports it since the machine's start",
    initial: 0,
    min: 0,
    max: 31,
    whole: true,
  }),
  stateDir: checked<string>({
    flag: "state-dir",
    variable: "AGENT_STATE_DIR",
    key: "state_dir",
    placeholder: "FOLDER",
    group: GROUP_MONTH_OPTIONS,
    help:
      "Where what outlives the agent is kept: the month's traffic, and as which node it registered",
    initial: "",
    initialText: "$STATE_DIRECTORY, else /var/lib/komari-agent-deno for root, else the user's",
    parse: parseFolderMonthOptions,
  }),
  up: checked<number | undefined>({
    flag: "up",
    placeholder: "BYTES",
    group: GROUP_MONTH_OPTIONS,
    help: "For `traffic set`: what was sent this month, such as 12.5GiB or 300GB",
    initial: undefined,
    parse: parseByteCount,
  }),
  down: checked<number | undefined>({
    flag: "down",
    placeholder: "BYTES",
    group: GROUP_MONTH_OPTIONS,
    help: "For `traffic set`: what was received this month",
    initial: undefined,
    parse: parseByteCount,
  }),
} as const;

/** A relative folder would be another one after the next start. */
function parseFolderMonthOptions(value: string): string {
  if (!value.startsWith("/")) throw new RangeError("a full path, such as /var/lib/komari");
  return value.replace(/(?<=.)\/+$/, "");
}
