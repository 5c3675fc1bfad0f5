/** The soft limit of open files in `/proc/PID/limits`; `Infinity` for none, `undefined` if not listed. */
export function parseOpenFiles(text: string): number | undefined {
  const word = /^Max open files +(\d{1,20}|unlimited) /m.exec(text)?.[1];
  if (word === undefined) return undefined;
  return word === "unlimited" ? Infinity : Number(word);
}
