/** The permissions that could start or load foreign code. */
const GIVEN_UP = ["run", "ffi"] as const;

/**
 * Gives up, for the rest of the process's life, the right to start programs and to load libraries.
 *
 * The runtime enforces it from then on, whatever a panel sends. As a side effect nothing below
 * `/proc` and `/sys` can be opened or asked any more; handles that are open go on working.
 *
 * @throws {Error} When the runtime does not take the right back; the agent must not go on then.
 */
export function seal(): void {
  for (const name of GIVEN_UP) {
    const { state } = Deno.permissions.revokeSync({ name });
    if (state === "granted") throw new Error(`Cannot give up the right to ${name}`);
  }
}
