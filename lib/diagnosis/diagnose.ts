/**
 * The table of causes: what a failure is, and what to do about it. The log, `status` and `doctor` say
 * the same by it. Pure.
 *
 * @module
 */

import { codePoint } from "../parse/bounded_text.ts";
import { ANSWER_CAUSES } from "./answers.ts";
import type { Cause, Diagnosis, Seen, SeenWay, TokenShape } from "./cause.ts";
import { LINK_CAUSES } from "./links.ts";

/** The first that fits is the cause. */
export const CAUSES: readonly Cause[] = [...LINK_CAUSES, ...ANSWER_CAUSES];

/** The first cause of the table that fits. */
export function diagnoseFailure(seen: Seen, way: SeenWay): Diagnosis {
  const cause = CAUSES.find((cause) =>
    cause.stages.includes(seen.stage) && cause.is?.(seen, way) !== false
  );
  const reason = cause?.reason?.(seen, way) ?? seen.error;
  const lines = (cause?.actions(seen, way) ?? []).filter((it) => typeof it === "string");
  const [action = "run `komari-agent doctor`, which looks at each link", ...more] = lines;
  return { cause: cause?.id ?? seen.stage, reason, action, more };
}

/** A diagnosis in one line, as it is logged and shown. */
export function diagnosisLine({ reason, action }: Pick<Diagnosis, "reason" | "action">): string {
  return `${reason} \u2192 ${action}`;
}

/** Looks at a token. */
export function shapeOf(token: string): TokenShape {
  const [odd] = /^["'`<[{]|[^!-~]|["'`>\]}]$/u.exec(token) ?? [];
  return {
    length: token.length,
    isVariable: /^\$(?:\w+|\{\w+\})$/.test(token),
    odd: odd === undefined ? undefined : `U+${codePoint(odd)}`,
  };
}
