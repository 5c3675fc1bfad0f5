/**
 * What a check of `doctor` says: what was observed, and what to do about it.
 *
 * The text is the observation alone, with who has said it and where a value came from. One line of
 * advice is what to do, and is given where the evidence leaves one cause; several are looks, each with
 * the command that tells whether that is the cause, the shortest first.
 *
 * @module
 */

import { abortable } from "@std/async/abortable";
import { describeError } from "../log/log.ts";
import { oneLine, redactSecrets } from "../log/redact.ts";
import { withoutArrows } from "../parse/bounded_text.ts";

/** What was found. */
export interface Finding {
  readonly status: "ok" | "warning" | "failed" | "skipped";
  readonly text: string;
  readonly advice: readonly string[];
}

/** A finding, and what it is about. */
export interface Check extends Finding {
  /** Name for programs. */
  readonly id: string;
  readonly title: string;
  /** The panel that it is about, if there are several. */
  readonly panel?: string | undefined;
  readonly ms: number;
  /** The id of the check whose failure it only shows again, or for which it was not made. */
  readonly follows?: string | undefined;
}

/** A line of advice; none where it does not apply. */
export type Line = string | false | undefined;

/** Nobody takes more. */
const MAX_LOOKS = 3;

export function finding(
  status: Finding["status"],
  text: string,
  ...advice: readonly Line[]
): Finding {
  const lines = new Set(advice.flatMap((line) => line || []));
  return { status, text, advice: [...lines].slice(0, MAX_LOOKS) };
}

/** Nothing is wrong. */
export function ok(text: string): Finding {
  return finding("ok", text);
}

/** It was not checked, or is not needed. */
export function skipped(text: string, ...advice: readonly Line[]): Finding {
  return finding("skipped", text, ...advice);
}

/** Something is wrong that does not stop reports. */
export function warning(text: string, ...advice: readonly Line[]): Finding {
  return finding("warning", text, ...advice);
}

/** Something has to be repaired. */
export function failed(text: string, ...advice: readonly Line[]): Finding {
  return finding("failed", text, ...advice);
}

/** Makes one check; one that throws has failed, and one that the deadline ends says so. */
export async function makeCheck(
  id: string,
  title: string,
  look: (signal: AbortSignal) => Finding | Promise<Finding>,
  { signal, deadline }: { signal: AbortSignal; deadline: AbortSignal },
): Promise<Check> {
  const startedAtMs = performance.now();
  const limit = AbortSignal.any([signal, deadline]);
  let found: Finding;
  try {
    found = await abortable((async () => await look(limit))(), limit);
  } catch (error) {
    signal.throwIfAborted();
    const text = describeError(error);
    found = deadline.aborted
      ? warning("it did not end in time")
      // What a library says stands beside words of our own.
      : failed(text.startsWith("Cannot ") ? text : `this check can't be made: ${text}`);
  }
  return { id, title, ...found, ms: Math.round(performance.now() - startedAtMs) };
}

/** A check whose texts have no secrets, no arrow of another's, and nothing that would act on a terminal. */
export function withoutSecrets(check: Check, secrets: readonly string[]): Check {
  const shown = (text: string) => oneLine(redactSecrets(text, secrets));
  const { title, text, panel, advice } = check;
  return {
    ...check,
    title: shown(title),
    text: withoutArrows(shown(text)),
    panel: panel && shown(panel),
    advice: advice.map(shown),
  };
}
