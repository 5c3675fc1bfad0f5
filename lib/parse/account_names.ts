/**
 * Reads the names by number from the text of `/etc/passwd` or `/etc/group`, whose lines both begin
 * with `name:password:number:`. The first of several names of a number counts, as it does for the C
 * library; lines of another shape are ignored.
 */
export function accountNames(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split("\n")) {
    const [name, , id] = line.split(":", 3);
    if (!name || id === undefined || !/^\d{1,10}$/.test(id)) continue;
    if (!names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}
