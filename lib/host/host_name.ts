/** What this machine calls itself; empty when that can't be found out. */
export function hostName(): string {
  try {
    return Deno.hostname();
  } catch {
    return "";
  }
}
