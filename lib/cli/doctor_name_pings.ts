/**
 * Pings to a name server that has not answered all questions, for `doctor`: whether packets are lost.
 *
 * @module
 */

import type { CheckResult } from "./checks.ts";
import { lostPings, PINGS } from "./doctor_loss.ts";
import { isSilent, type NameAnswer } from "./doctor_name_servers.ts";
import type { Way } from "./doctor_way.ts";

/** A server that has not answered all questions: the first, where none has answered any. */
function lossyOf(answers: readonly NameAnswer[]): NameAnswer | undefined {
  return answers.find(({ lost, isSilentOnIpv6 }) => lost !== undefined || isSilentOnIpv6) ??
    (answers.every(isSilent) ? answers[0] : undefined);
}

/** How many pings to a server that has not answered all questions are lost; `undefined` where none says. */
export async function pingsOf(
  answers: readonly NameAnswer[],
  { config }: Way,
  signal: AbortSignal,
): Promise<number | undefined> {
  const lossy = lossyOf(answers);
  return lossy && await lostPings(lossy.server, { config, signal });
}

/** A text with the results of pings to a server that has not answered all questions: what they show comes first. */
export function withPings(
  text: string,
  answers: readonly NameAnswer[],
  pings: number | undefined,
): string {
  const lossy = lossyOf(answers);
  if (pings === undefined || lossy === undefined) return text;
  return pings === 0
    ? `${text}; it answers all pings`
    : `packets are lost, as ${pings} of ${PINGS} pings to ${lossy.server} were: ${text}`;
}

/** What packets and questions are lost tells other checks. */
export function lossKind(answers: readonly NameAnswer[], pings = 0): CheckResult["kind"] {
  if (pings > 0 && lossyOf(answers) !== undefined) return "packets_lost";
  return answers.some(({ lost }) => lost !== undefined) ? "questions_lost" : undefined;
}
