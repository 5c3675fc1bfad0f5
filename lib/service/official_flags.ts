import type { Option } from "../config/option.ts";
import { OPTIONS } from "../config/options.ts";

const ROWS: readonly Option<unknown>[] = Object.values(OPTIONS);

/** The options that the official agent has, or has had, by the keys of its configuration file. */
export const OFFICIAL_KEYS: readonly string[] = [
  "endpoint",
  "token",
  "auto_discovery_key",
  "interval",
  "info_report_interval",
  "max_retries",
  "reconnect_interval",
  "protocol_version",
  "disable_compression",
  "prefer_ip_version",
  "ignore_unsafe_cert",
  "custom_dns",
  "include_nics",
  "exclude_nics",
  "include_mountpoints",
  "month_rotate",
  "memory_include_cache",
  "memory_report_raw_used",
  "enable_gpu",
  "custom_ipv4",
  "custom_ipv6",
  "get_ip_addr_from_nic",
  "disable_web_ssh",
  "disable_auto_update",
  "config_file",
  "host_proc",
  "memory_mode_available",
  "cf_access_client_id",
  "cf_access_client_secret",
];

/** Its options that only a command line has, and that mean nothing here. */
const SILENT_FLAGS: readonly (string | undefined)[] = ["autoUpdate", "show-warning"];

/** A command line of the official agent. */
export interface OfficialFlags {
  /** Texts by keys. */
  readonly values: ReadonlyMap<string, string>;
  /** Flags that it does not know and passes over, without their values. */
  readonly unknown: readonly string[];
}

/**
 * Takes a command line apart as the official agent does: a switch has its value behind `=` only,
 * anything else has it behind `=` or in the next word, whatever that begins with.
 */
export function readOfficialFlags(args: readonly string[]): OfficialFlags {
  const values = new Map<string, string>();
  const unknown: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") break;
    if (!/^-./.test(arg)) continue;
    const { name, row, attached } = flagOf(arg);
    if (row === undefined) {
      unknown.push(name);
      const isNextItsValue = attached === undefined && args[at + 1]?.startsWith("-") === false;
      if (isNextItsValue) at++;
      continue;
    }
    const isSwitch = row.placeholder === undefined;
    const text = attached ?? (isSwitch ? "true" : args[++at] ?? "");
    if (row.key !== undefined) values.set(row.key, text);
  }
  return { values, unknown };
}

interface Flag {
  readonly name: string;
  readonly row: Option<unknown> | undefined;
  readonly attached: string | undefined;
}

function flagOf(arg: string): Flag {
  const [, name = "", attached] = /^(--[^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
  if (name !== "") return { name, row: rowOf((row) => `--${row.flag}` === name), attached };
  const short = arg.slice(0, 2);
  const row = rowOf((row) => `-${row.short}` === short);
  const rest = arg.slice(2).replace(/^=/, "");
  return { name: short, row, attached: arg.length === 2 ? undefined : rest };
}

function rowOf(isIt: (row: Option<unknown>) => boolean): Option<unknown> | undefined {
  const row = ROWS.find(isIt);
  const isOfficial = OFFICIAL_KEYS.includes(row?.key ?? "") || SILENT_FLAGS.includes(row?.flag);
  return isOfficial ? row : undefined;
}
