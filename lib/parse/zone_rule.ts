/** A rule of POSIX for local time, as in `TZ` and at the end of a zone's file: `EST5EDT,M3.2.0,M11.1.0`. */
const RULE = (() => {
  const name = "(?:[A-Za-z]{3,}|<[-+\\w]+>)";
  const offset = "([-+]?\\d{1,2}(?::\\d\\d){0,2})";
  const date = ",(M\\d{1,2}|J?\\d{1,3})[^,]*";
  return new RegExp(`^${name}${offset}(${name}${offset}?(?:${date}${date})?)?$`);
})();

/**
 * Minutes to UTC on the first of January and of July by a rule of POSIX, as `getTimezoneOffset()` gives
 * them: positive in the west. `undefined` for what is no such rule.
 */
export function offsetsOfRule(rule: string): readonly [january: number, july: number] | undefined {
  const match = RULE.exec(rule);
  if (match === null) return undefined;
  const [, standardText = "", summerPart, summerText, start = "M3", end = "M11"] = match;
  const standard = toMinutes(standardText);
  if (summerPart === undefined) return [standard, standard];
  const summer = summerText === undefined ? standard - 60 : toMinutes(summerText);
  return dayOfYear(start) < dayOfYear(end) ? [standard, summer] : [summer, standard];
}

function toMinutes(text: string): number {
  const [hours = 0, minutes = 0] = text.replace(/^[-+]/, "").split(":").map(Number);
  const total = hours * 60 + minutes;
  return text.startsWith("-") && total > 0 ? -total : total;
}

/** Near enough to tell which of two days is the first one. */
function dayOfYear(date: string): number {
  return date.startsWith("M") ? Number(date.slice(1)) * 30 : Number(date.replace("J", ""));
}
