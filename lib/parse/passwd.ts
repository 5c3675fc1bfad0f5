/** An account of the machine, as far as a login needs it. */
export interface Account {
  name: string;
  /** Its folder; empty when none is named. */
  home: string;
  /** Its login shell; empty when none is named. */
  shell: string;
}

/**
 * The account that `/etc/passwd` has for a uid; `undefined` when it has none.
 *
 * The first of several counts, as it does for the C library. Lines that are none of an account
 * (comments, includes of other databases, broken ones) are passed over.
 */
export function findAccount(passwd: string, uid: number): Account | undefined {
  for (const line of passwd.split("\n")) {
    const [name, , id, , , home, shell, ...more] = line.split(":");
    if (!name || id !== String(uid) || shell === undefined || more.length > 0) continue;
    return { name, home: home ?? "", shell: shell.trim() };
  }
  return undefined;
}

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
