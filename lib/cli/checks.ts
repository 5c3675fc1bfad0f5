/**
 * Checks that run one after another, and their results as text and as JSON.
 *
 * @module
 */

import type { Language } from "../config/language.ts";
import { describeError } from "../log/log.ts";
import { oneLine, redactSecrets } from "../log/redact.ts";
import { withTimeout } from "../async/timeout.ts";
import { jsonFields } from "../parse/json.ts";
import { padded, wrap } from "./help.ts";
import { jsonText } from "./output.ts";

/** The result of one check. */
export interface CheckResult {
  readonly status: "ok" | "warning" | "failed" | "skipped";
  readonly text: string;
  /** Advice for the user. */
  readonly advice?: string | undefined;
}

/** One check. */
export interface Check {
  /** Name for programs. */
  readonly id: string;
  readonly title: string;
  /** The panel that it is about, if there are several. */
  readonly panel?: string | undefined;
  run(signal: AbortSignal): CheckResult | Promise<CheckResult>;
}

/** A check of one panel, or of this machine. */
export function check(id: string, title: string, run: Check["run"]): Check {
  return { id, title, run };
}

/** A check that has run. */
export interface CompletedCheck extends CheckResult, Omit<Check, "run"> {
  readonly ms: number;
}

/** The result of a check. */
export function result(
  status: CheckResult["status"],
  text: string,
  advice?: string,
): CheckResult {
  return { status, text, advice };
}

/** Longer than any check waits by itself. */
const CHECK_TIMEOUT_MS = 30_000;
/** Columns of the titles. */
const TITLE_WIDTH = 18;

const MARKS = {
  ok: { mark: "✓", color: 32 },
  warning: { mark: "!", color: 33 },
  failed: { mark: "✗", color: 31 },
  skipped: { mark: "-", color: 90 },
} as const;

/** Runs checks one after another. A check that throws has failed. */
export async function* runChecks(
  checks: readonly Check[],
  { signal, secrets }: { signal: AbortSignal; secrets: readonly string[] },
): AsyncGenerator<CompletedCheck> {
  for (const { id, title, panel, run } of checks) {
    const startedAtMs = performance.now();
    let outcome: CheckResult;
    try {
      const options = { timeoutMs: CHECK_TIMEOUT_MS, signal };
      outcome = await withTimeout(async (signal) => await run(signal), options);
    } catch (error) {
      signal.throwIfAborted();
      outcome = result("failed", describeError(error));
    }
    yield {
      id,
      title,
      panel,
      status: outcome.status,
      text: shownText(outcome.text, secrets),
      advice: outcome.advice && shownText(outcome.advice, secrets),
      ms: Math.round(performance.now() - startedAtMs),
    };
  }
}

/**
 * Reads a completed check that another process has written as JSON; none if it is not one. Its texts
 * are made fit to be shown again.
 */
export function parseCheck(value: unknown, secrets: readonly string[]): CompletedCheck[] {
  const { id, title, panel, status, text, advice, ms } = jsonFields(value);
  if (typeof id !== "string" || !isStatus(status) || typeof ms !== "number") return [];
  if (typeof title !== "string" || typeof text !== "string") return [];
  return [{
    id,
    title: shownText(title, secrets),
    panel: typeof panel === "string" ? oneLine(panel) : undefined,
    status,
    text: shownText(text, secrets),
    advice: typeof advice === "string" ? shownText(advice, secrets) : undefined,
    ms,
  }];
}

function isStatus(value: unknown): value is CheckResult["status"] {
  return typeof value === "string" && Object.hasOwn(MARKS, value);
}

/** A text without secrets and what would act on a terminal. */
function shownText(text: string, secrets: readonly string[]): string {
  return oneLine(redactSecrets(text, secrets));
}

/** How checks are shown. */
export interface CheckLayout {
  readonly language: Language;
  /** Puts the English of checks into the language. */
  readonly inLanguage: (english: string) => string;
  readonly isColored: boolean;
  /** Width of the terminal; longer lines go on below the text. */
  readonly columns?: number;
}

/** A check in a line, with its advice in the next. */
export function checkText(
  { status, title, text, advice, ms }: CompletedCheck,
  { language, inLanguage, isColored, columns = Infinity }: CheckLayout,
): string {
  const { mark, color } = MARKS[status];
  const shownMark = isColored ? `\x1b[${color}m${mark}\x1b[0m` : mark;
  // Its blank breaks no line.
  const duration = `${ms}\u00a0ms`;
  const shownTime = language === "zh" ? `（${duration}）` : ` (${duration})`;
  const time = status === "skipped" ? "" : shownTime;
  const head = `${shownMark} ${padded(inLanguage(title), TITLE_WIDTH)}`;
  const body = wrapped(inLanguage(text) + time, { indent: TITLE_WIDTH + 2, columns });
  const hint = advice === undefined
    ? ""
    : `  → ${wrapped(inLanguage(advice), { indent: ADVICE_INDENT, columns })}\n`;
  return `${head}${body}\n${hint}`;
}

const ADVICE_INDENT = 4;
/** A column of text that is narrower can't be read. */
const LEAST_COLUMNS = 20;

/** A text behind `indent` columns, whose further lines begin below it. */
export function wrapped(
  text: string,
  { indent, columns }: { indent: number; columns: number },
): string {
  const width = Math.max(LEAST_COLUMNS, columns - indent);
  return wrap(text, width).join(`\n${" ".repeat(indent)}`).replaceAll("\u00a0", " ");
}

/** The number of failures and warnings. */
export function summaryText(checks: readonly CompletedCheck[]): string {
  const count = (status: CheckResult["status"]) =>
    checks.filter((check) => check.status === status).length;
  const [failed, warnings] = [count("failed"), count("warning")];
  return failed + warnings === 0
    ? "Everything is fine."
    : `${failed} failed, ${warnings} ${warnings === 1 ? "warning" : "warnings"}.`;
}

/** The results as JSON, in English. */
export function checksJson(checks: readonly CompletedCheck[]): string {
  return jsonText({
    ok: checks.every(({ status }) => status !== "failed"),
    checks: checks.map(({ title: _, ...shown }) => shown),
  });
}
