/**
 * The command `doctor`: checks everything between this machine and its panels, and says which link is
 * broken and what to do.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import type { Language } from "../config/language.ts";
import type { Check, Finding } from "../doctor/check.ts";
import { diagnose } from "../doctor/diagnose.ts";
import { counted } from "../parse/quantity.ts";
import { type CommandContext, supportedPlatform } from "./command.ts";
import { padded, wrap } from "./layout.ts";
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
  const layout = { ...{ inLanguage, isColored }, language: config.language };
  const columns = terminalColumns(env);
  context.print(config.json ? reportJson(checks) : reportText(checks, { ...layout, columns }));
  return checks.some(({ status }) => status === "failed") ? 1 : 0;
}

/** Columns of the titles. */
const TITLE_WIDTH = 18;
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
}

/** The whole report, of checks that are in order: the causes first, below each what follows from it. */
export function reportText(checks: readonly Check[], layout: ReportLayout): string {
  const isBad = ({ status }: Check) => status === "failed" || status === "warning";
  const own = checks.filter((it) => it.follows === undefined);
  const causes = own.filter(isBad);
  const blocks = causes.map((cause) => {
    const followers = checks.filter((it) =>
      it.follows === cause.id && (it.panel === undefined || it.panel === cause.panel)
    );
    return causeText(cause, followers, layout);
  });
  const rest = own.filter((it) => !isBad(it));
  const panels = [...new Set(rest.map(({ panel }) => panel))]
    .toSorted((one, other) => Number(one !== undefined) - Number(other !== undefined));
  const fine = panels.map((panel) =>
    (panel === undefined ? "" : `${panel}\n`) +
    rest.filter((it) => it.panel === panel).map((it) => lineOf(it, layout)).join("")
  );
  const failed = causes.filter(({ status }) => status === "failed").length;
  const summary = causes.length === 0
    ? "Everything is fine."
    : `${failed} failed, ${counted(causes.length - failed, "warning")}.`;
  return [...blocks, ...fine, `${summary}\n`].join("\n");
}

/** A broken link with its panel, its advice, and what follows from it. */
function causeText(cause: Check, followers: readonly Check[], layout: ReportLayout): string {
  const { language, inLanguage, columns = Infinity } = layout;
  const below = (mark: string, text: string) => {
    const lines = wrapped(inLanguage(text), { indent: ADVICE_INDENT + mark.length - 2, columns });
    return `  ${mark} ${lines}\n`;
  };
  const { advice, panel } = cause;
  const lines = advice.map((text, at) => below(advice.length === 1 ? "→" : `${at + 1}.`, text));
  const colon = language === "zh" ? "：" : ": ";
  const isMade = ({ status }: Check) => status !== "skipped";
  const shown = followers.filter(isMade)
    .map(({ title, text }) => `${inLanguage(title)}${colon}${inLanguage(text)}`);
  const titles = followers.filter((it) => !isMade(it)).map(({ title }) => inLanguage(title));
  const unchecked = titles.length === 0 ? [] : [`not checked: ${titles.join(", ")}`];
  const consequences = [...shown, ...unchecked].map((text) => below("…", `and therefore: ${text}`));
  const heading = panel === undefined ? "" : `${panel}\n`;
  return [heading, lineOf(cause, layout), ...lines, ...consequences].join("");
}

function lineOf(
  { status, title, text, ms }: Check,
  { language, inLanguage, isColored, columns = Infinity }: ReportLayout,
): string {
  const { mark, color } = MARKS[status];
  const shownMark = isColored ? `\x1b[${color}m${mark}\x1b[0m` : mark;
  // Its blank breaks no line.
  const duration = inLanguage(`${ms} ms`).replace(" ", "\u00a0");
  const shownTime = language === "zh" ? `（${duration}）` : ` (${duration})`;
  const body = inLanguage(text) + (status === "skipped" ? "" : shownTime);
  const head = `${shownMark} ${padded(inLanguage(title), TITLE_WIDTH)}`;
  return `${head}${wrapped(body, { indent: TITLE_WIDTH + 2, columns })}\n`;
}

/** A text behind `indent` columns, whose further lines begin below it. */
export function wrapped(
  text: string,
  { indent, columns }: { indent: number; columns: number },
): string {
  const width = Math.max(LEAST_COLUMNS, columns - indent);
  return wrap(text, width).join(`\n${" ".repeat(indent)}`).replaceAll("\u00a0", " ");
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
