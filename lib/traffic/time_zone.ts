import { offsetsOfRule } from "../parse/zone_rule.ts";

/** Names of UTC, which need no file. */
const UTC = /^(?:Etc\/)?(?:UTC|UCT|GMT|Zulu|Universal|Greenwich|WET)$/i;

/** The file of the machine's own zone, and the folder of those that have a name. */
const OWN_ZONE = "/etc/localtime";
const ZONES = "/usr/share/zoneinfo";

/** The local time at which a billing period begins. */
export interface LocalTime {
  /** Where it is set: `TZ=` and its value, or the file of the machine's own zone. */
  readonly origin: string;
  /** The variable `TZ`; `undefined` without it. */
  readonly variable: string | undefined;
  /** The engine's name of it; `undefined` or `Etc/Unknown` for one that it has no name for. */
  readonly timeZone: string | undefined;
  /** The engine has found no file of this name, only one with these hours at present. */
  readonly isGuessed: boolean;
  /** Minutes to UTC that the engine takes, on the first of January and of July of next year. */
  readonly offsets: readonly [january: number, july: number];
  /** The rule of POSIX for later years: that of the zone's file, or the variable where it names none. */
  readonly rule: string | undefined;
}

/**
 * The local time of this process, whose variable `TZ` is given; `readText` reads files of zones. Without
 * the variable it should be that of the machine with this root.
 */
export function localTime(
  variable: string | undefined,
  readText: (path: string) => string | undefined,
  root = "/",
): LocalTime {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const year = new Date().getFullYear() + 1;
  const name = variable?.replace(/^:/, "");
  const ofRoot = `${root}${OWN_ZONE}`;
  const ownFile = root !== "/" && readText(ofRoot) !== undefined ? ofRoot : OWN_ZONE;
  const file = name === undefined ? ownFile : name.startsWith("/") ? name : `${ZONES}/${name}`;
  return {
    origin: variable === undefined ? ownFile : `TZ=${variable}`,
    variable,
    timeZone,
    isGuessed: name === undefined && readText(`${ZONES}/${timeZone}`) === undefined,
    offsets: [
      new Date(year, 0, 1).getTimezoneOffset(),
      new Date(year, 6, 1).getTimezoneOffset(),
    ],
    rule: ruleOf(readText(file)) ?? (name === "" ? "UTC0" : name),
  };
}

/** The last line of a zone's file. */
function ruleOf(file: string | undefined): string | undefined {
  return file?.startsWith("TZif") ? file.split("\n").at(-2) : undefined;
}

/**
 * Where the zone is set whose hours are not those of the engine, which takes UTC or what it guesses for
 * it: one of no name, a rule of POSIX with summer time, a file elsewhere. `undefined` for a known one.
 */
export function unknownZone(local: LocalTime): string | undefined {
  const { origin, variable, timeZone, offsets, rule = "" } = local;
  const expected = offsetsOfRule(rule);
  if (expected !== undefined) {
    return expected.every((minutes, at) => minutes === offsets[at]) ? undefined : origin;
  }
  if (offsets.some((minutes) => minutes !== 0) || UTC.test(rule)) return undefined;
  const hasName = timeZone !== undefined && timeZone !== "Etc/Unknown";
  return hasName && (variable === undefined || timeZone !== "UTC") ? undefined : origin;
}

/** The hours that the engine takes today, as `UTC+08:00`. */
export function usedHours(now = new Date()): string {
  const minutes = -now.getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const [hours, rest] = [Math.trunc(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  const two = (part: number) => String(part).padStart(2, "0");
  return `UTC${minutes < 0 ? "-" : "+"}${two(hours)}:${two(rest)}`;
}
