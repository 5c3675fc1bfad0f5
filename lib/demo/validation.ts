/**
 * What the contract says about a message: taken or refused, and what was wrong with it.
 *
 * @module
 */

import { type Answer, jsonAnswer } from "./answer.ts";
import type { Departure, Finding } from "./schema.ts";

/** What becomes of a message. */
export type Verdict<T> =
  | {
    readonly accepted: true;
    readonly value: T;
    /** What the panel takes although the contract forbids it. */
    readonly violations: readonly string[];
  }
  | {
    readonly accepted: false;
    readonly answer: Answer;
    readonly violations: readonly string[];
  };

/** The message is taken. */
export function accept<T>(value: T, violations: readonly string[]): Verdict<T> {
  return { accepted: true, value, violations };
}

/** The message is refused with a status and a body. */
export function refuse(
  refusal: { status: number; body: unknown },
  violations: readonly string[],
): Verdict<never> {
  return { accepted: false, answer: jsonAnswer(refusal.status, refusal.body), violations };
}

/**
 * The finding that a message is refused for, and with which status.
 *
 * An unreadable message (400) never gets as far as the check of its values (500).
 */
export function gravest(
  findings: readonly Finding[],
  statuses: Readonly<Partial<Record<Departure, number>>>,
): { status: number; finding: Finding } | undefined {
  let gravest: { status: number; finding: Finding } | undefined;
  for (const finding of findings) {
    const status = statuses[finding.departure];
    if (status !== undefined && (gravest === undefined || status < gravest.status)) {
      gravest = { status, finding };
    }
  }
  return gravest;
}
