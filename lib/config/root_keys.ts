/**
 * Options by which root makes folders, reads files and takes programs from somewhere, by their keys.
 *
 * The configuration of a service belongs to its user, who could have written anything there. What
 * root goes by must have another source.
 */
export const ROOT_KEYS: readonly string[] = [
  "state_dir",
  "update_url",
  "mirror",
  "ca_cert",
  "token_file",
];

/** Divides a configuration that is not this user's own: what counts, and what does not. */
export function passOverRootKeys(
  file: ReadonlyMap<string, string>,
): { file: Map<string, string>; passedOver: Map<string, string> } {
  const isRoots = ([key]: [string, string]) => ROOT_KEYS.includes(key);
  return {
    file: new Map([...file].filter((entry) => !isRoots(entry))),
    passedOver: new Map([...file].filter(isRoots)),
  };
}
