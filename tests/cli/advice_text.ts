import type { CheckResult } from "../../lib/cli/checks.ts";

/** All advice of a check in one text: what to do, or what may be the cause. */
export function adviceText(check: CheckResult | undefined): string {
  return [check?.advice ?? [], check?.causes ?? []].flat().join(" | ");
}
