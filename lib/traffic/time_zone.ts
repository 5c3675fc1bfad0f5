/** Names of UTC, and rules of POSIX without a difference to it. */
const UTC = /^:?(?:Etc\/)?(?:UTC|UCT|GMT|Zulu|Universal|Greenwich|WET|[A-Z]{3,}|<[^>]*>)[+-]?0*$/i;

/** The local time at which a billing period begins. */
export interface LocalTime {
  /** Of the variable `TZ`; empty without it. */
  readonly variable: string;
  /** The engine's name of it; `undefined` or `Etc/Unknown` for one that it has no name for. */
  readonly timeZone: string | undefined;
  /** Minutes to UTC, in winter and in summer. */
  readonly offsets: readonly number[];
}

/** The local time of this process, whose variable `TZ` is given. */
export function localTime(variable: string | undefined): LocalTime {
  const year = new Date().getFullYear();
  return {
    variable: variable ?? "",
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    offsets: [0, 6].map((month) => new Date(year, month, 1).getTimezoneOffset()),
  };
}

/**
 * Where the zone is set that the engine does not know, and takes UTC for: one of no name, or a rule of
 * POSIX with summer time. `undefined` for a known one.
 */
export function unknownZone({ variable, timeZone, offsets }: LocalTime): string | undefined {
  const hasName = timeZone !== undefined && timeZone !== "Etc/Unknown";
  if (offsets.some((minutes) => minutes !== 0)) return undefined;
  if (variable === "") return hasName ? undefined : "/etc/localtime";
  const isKnown = (hasName && timeZone !== "UTC") || UTC.test(variable);
  return isKnown ? undefined : `TZ=${variable}`;
}
