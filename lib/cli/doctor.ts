/**
 * The command `doctor`: checks everything between this machine and its panels, and says which link is
 * broken and what to do.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import type { Language } from "../config/environment.ts";
import type { Check, Finding } from "../doctor/check.ts";
import { diagnose } from "../doctor/diagnose.ts";
import { type CommandContext, supportedPlatform } from "./command.ts";
import { displayWidth, wrap } from "./layout.ts";
import { jsonText, terminalColumns } from "./output.ts";
import { findUpdate } from "./update.ts";

/** Checks everything; the exit code is 1 if a check has failed. */
export async function runDoctor(config: Config, context: CommandContext): Promise<number> {
  const { env, inLanguage } = context;
  // The cause is the first line, so nothing is shown before all is known.
  if (!config.json && Deno.stderr.isTerminal()) {
    context.printError("Checking, for 20 s at most …");
  }
  const checks = await diagnose(config, { ...context, platform: supportedPlatform(), findUpdate });
  const isColored = Deno.stdout.isTerminal() && !Deno.noColor;
  const { language, verbose } = config;
  const layout = { inLanguage, isColored, language, verbose };
  const columns = terminalColumns(env);
  context.print(config.json ? reportJson(checks) : reportText(checks, { ...layout, columns }));
  return checks.some(({ status }) => status === "failed") ? 1 : 0;
}

/** The lines that a problem takes at most, but for all details. */
const PROBLEM_LINES = 3;
const ADVICE_INDENT = 4;
/** A column of text that is narrower can't be read. */
const LEAST_COLUMNS = 20;

const MARKS = {
  ok: { mark: "✓", color: 32 },
  warning: { mark: "!", color: 33 },
  failed: { mark: "✗", color: 31 },
  skipped: { mark: "-", color: 90 },
} as const satisfies Record<Finding["status"], unknown>;

/** How checks are shown. */
export interface ReportLayout {
  readonly language: Language;
  /** Puts the English of checks into the language. */
  readonly inLanguage: (english: string) => string;
  readonly isColored: boolean;
  /** Width of the terminal; longer lines go on below the text. */
  readonly columns?: number;
  /** Whether to show all checks, and all of their advice. */
  readonly verbose?: boolean;
}

/**
 * The report of checks that are in order: the problems, each in three lines at most, and how many checks
 * have passed; `verbose` shows everything.
 */
export function reportText(checks: readonly Check[], layout: ReportLayout): string {
  const { inLanguage, verbose = false } = layout;
  const isBad = ({ status }: Check) => status === "failed" || status === "warning";
  const problems = checks.filter((it) => isBad(it) && (verbose || it.follows === undefined));
  const rest = checks.filter((it) => !isBad(it));
  const passed = checks.filter(({ status }) => status === "ok").length;
  const unmade = checks.filter((it) => it.status === "skipped" && it.follows !== undefined).length;
  const summary = unmade === 0
    ? `${passed} checks passed`
    : `${passed} checks passed, ${unmade} not run`;
  return [
    ...problems.map((it) => problemText(it, layout)),
    ...verbose ? rest.map((it) => headOf(it, layout).join("\n")) : [],
    inLanguage(summary),
  ].join("\n") + "\n";
}

/** A problem and what to do about it. */
function problemText(check: Check, layout: ReportLayout): string {
  const { inLanguage, columns = Infinity, verbose = false } = layout;
  const head = headOf(check, layout);
  const advice = check.advice.map((text) =>
    wrapped(`→ ${inLanguage(text)}`, { indent: ADVICE_INDENT, columns }).split("\n")
      .map((line, at) => at === 0 ? `  ${line}` : line)
  );
  const all = [...head, ...advice.flat()];
  if (verbose || all.length <= PROBLEM_LINES) return all.join("\n");
  // What to do first is shown whole, and as much of the rest as there is room for.
  const [first = [], ...more] = advice;
  const shown = cut(first, { count: PROBLEM_LINES - 1, columns });
  const lines = [...cut(head, { count: PROBLEM_LINES - shown.length, columns }), ...shown];
  for (const next of more) if (lines.length + next.length <= PROBLEM_LINES) lines.push(...next);
  return lines.join("\n");
}

/** The first of several lines, with a mark where some are left out. */
function cut(lines: readonly string[], { count, columns }: { count: number; columns: number }) {
  const shown = lines.slice(0, count);
  const [last = ""] = shown.slice(-1);
  if (shown.length === lines.length) return shown;
  const room = displayWidth(last) <= columns - 2 ? last : last.replace(/ ?\S{0,20}$/, "");
  return [...shown.slice(0, -1), `${room} …`];
}

/** The lines of what was found. */
function headOf(
  { status, title, text, panel }: Check,
  { language, inLanguage, isColored, columns = Infinity }: ReportLayout,
): string[] {
  const { mark, color } = MARKS[status];
  const shownMark = isColored ? `\x1b[${color}m${mark}\x1b[0m` : mark;
  const of = panel === undefined ? "" : language === "zh" ? `（${panel}）` : ` (${panel})`;
  const body = `${inLanguage(title)}${of}${language === "zh" ? "：" : ": "}${inLanguage(text)}`;
  return `${shownMark} ${wrapped(body, { indent: 2, columns })}`.split("\n");
}

/** A text behind `indent` columns, whose further lines begin below it. */
export function wrapped(
  text: string,
  { indent, columns }: { indent: number; columns: number },
): string {
  const width = Math.max(LEAST_COLUMNS, columns - indent);
  return wrap(text, width).join(`\n${" ".repeat(indent)}`);
}

/** The results as JSON, in English; `cause` is the id of the check that names it. */
export function reportJson(checks: readonly Check[]): string {
  const [first] = checks.filter(({ follows }) => follows === undefined);
  return jsonText({
    ok: checks.every(({ status }) => status !== "failed"),
    cause: first?.status === "failed" || first?.status === "warning" ? first.id : undefined,
    checks: checks.map(({ title: _, advice, ...shown }) => ({
      ...shown,
      ...advice.length > 1 ? { causes: advice } : { advice: advice[0] },
    })),
  });
}
