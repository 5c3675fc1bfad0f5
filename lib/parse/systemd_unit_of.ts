/** A service of systemd's, the machine's or a user's. */
export interface SystemdUnit {
  /** With its ending, as in `agent.service`. */
  readonly name: string;
  readonly scope: "system" | "user";
}

/**
 * The service that a process belongs to, by `/proc/PID/cgroup`; `undefined` when it is in none.
 *
 * A user's manager is itself a service of the machine's, and its services lie within.
 */
export function systemdUnitOf(text: string): SystemdUnit | undefined {
  for (const line of text.split("\n")) {
    const [, path = ""] = /^(?:0::|\d+:name=systemd:)(\/.*)$/.exec(line) ?? [];
    const services = path.split("/").filter((part) => /^[\w@:.\\-]+\.service$/.test(part));
    const name = services.at(-1);
    if (name === undefined || isUserManager(name)) continue;
    return { name, scope: services.some(isUserManager) ? "user" : "system" };
  }
  return undefined;
}

function isUserManager(name: string): boolean {
  return /^user@\d+\.service$/.test(name);
}
