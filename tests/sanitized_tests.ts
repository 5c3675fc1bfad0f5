/**
 * With these a test fails when it leaves something open or an operation pending: the runtime looks
 * for neither by itself.
 */
export const SANITIZED = { sanitizeOps: true, sanitizeResources: true } as const;

/** Such a test. */
export function sanitizedTest(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ ...SANITIZED, name, fn });
}
