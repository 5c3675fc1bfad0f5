/** The permissions that could start or load foreign code. */
const GIVEN_UP = ["run", "ffi"] as const;

/**
 * Gives up, for the rest of the process's life, the right to start programs and to load libraries.
 *
 * The runtime enforces it from then on, whatever a panel sends. As a side effect nothing below
 * `/proc` and `/sys` can be opened or asked any more; handles that are open go on working.
 */
export function seal(): void {
  for (const name of GIVEN_UP) Deno.permissions.revokeSync({ name });
}
