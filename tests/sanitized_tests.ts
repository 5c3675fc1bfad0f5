import { onlyIf } from "./only_on.ts";

/**
 * With these a test fails when it leaves something open or an operation pending: the runtime looks
 * for neither by itself.
 */
export const SANITIZED = { sanitizeOps: true, sanitizeResources: true } as const;

/** Such tests. */
export const sanitized = onlyIf(true, SANITIZED);
