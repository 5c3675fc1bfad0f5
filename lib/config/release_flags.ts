/** Options about the servers of releases, by their keys. */
const FLAGS = { update_url: "--update-url", mirror: "--mirror", ca_cert: "--ca-cert" };

/** Keys of what `update` needs of what an agent was told. */
export const RELEASE_KEYS: readonly string[] = Object.keys(FLAGS);

/**
 * The same as flags. They go on its command line: the file with the token belongs to the agent, and
 * what root puts in a program's place must not.
 */
export function releaseFlags(given: ReadonlyMap<string, string>): string[] {
  return Object.entries(FLAGS).flatMap(([key, flag]) => {
    const value = given.get(key);
    return value === undefined ? [] : [flag, value];
  });
}
