/** Whether a real thing is waited for, such as a browser, a container or a build. */
const isReal = /\/tests\/(?:slow|build)\//.test(Deno.mainModule);

/** Longer than anything takes, however busy the machine is: only what hangs takes so long. */
export const PATIENCE_MS = isReal ? 180_000 : 20_000;

/** Aborts then, so that a test which waits for what never comes fails, and says where. */
export function patience(): AbortSignal {
  return AbortSignal.timeout(PATIENCE_MS);
}
