/**
 * The report of `doctor`: the cause first, below it what only follows from it, and then the rest.
 *
 * @module
 */

import type { Language } from "../config/language.ts";
import { type CheckResult, type CompletedCheck, withLines } from "./checks.ts";
import { counted, padded, wrap } from "./help.ts";
import { jsonText } from "./output.ts";

/** The links between this machine and an accepted report, in the order in which they need each other. */
const CHAIN: readonly string[] = [
  // With too little of it, everything is late.
  "processor",
  ...["network", "dns", "connect", "tls", "panel", "clock", "round_trip", "token", "websocket"],
  ...["service", "environment", "agent", "agents", "connections"],
];
/** Links without which no panel can be reached; `agent` does not report then, whatever it says. */
const ON_THE_WAY = CHAIN.slice(0, CHAIN.indexOf("websocket"));

/** What a broken link shows again, by the ids of both, and by its kind or text where others may break it. */
const CONSEQUENCES: readonly (readonly [
  links: readonly string[],
  follow: readonly string[],
  followsIf?: RegExp | CheckResult["kind"],
  /** The kind by which the link breaks it, as a warning, too; absent for any failure. */
  cause?: CheckResult["kind"],
])[] = [
  [ON_THE_WAY, ["agent", "connections"]],
  [["panel", "token"], ["service"], /Cannot report without/],
  [["panel"], ["service"], /Cannot read --config \S+: (?:no such file|it is a folder)/],
  [["config"], ["service"], /Cannot (?:use|read) /],
  [["config"], ["service"], "unexplained"],
  [["tls"], ["authorities"]],
  [["processor"], ["time"]],
  [["network", "dns", "connect"], ["probes", "version"]],
  [["version"], ["service"], /its last update job failed/, "unseen_release"],
  // Both are sent over the same way.
  [["connect", "round_trip"], ["dns"], "questions_lost", "packets_lost"],
  [["connect"], ["dns"], "packets_lost", "packets_lost"],
  [["connect"], ["dns"], "late_name", "packets_lost"],
  [["dns"], ["connect"], "no_answer", "packets_lost"],
  [["dns", "connect"], ["tls", "panel"], "no_answer", "packets_lost"],
  [["connect", "dns", "round_trip"], ["time"], undefined, "packets_lost"],
  // The agent gives a name up sooner than the system.
  [["dns"], ["agent"], "not_reporting", "late_name"],
  [["connect", "dns", "round_trip"], ["agent"], "not_reporting", "packets_lost"],
  [["connect", "dns"], ["round_trip"], undefined, "packets_lost"],
  [["tls", "panel"], ["agent"], "not_reporting", "other_server"],
  [["round_trip"], ["websocket"], "limited", "limited"],
  [ON_THE_WAY, ["service"], /its files have changed since systemd read them/],
  [["dns", "connect"], ["ping"], "unsent"],
  [["service"], ["environment", "agent"]],
  [["service"], ["state"], /Not a directory/],
  [["agents"], ["agent", "connections"]],
  [["network"], ["interfaces"]],
  [
    ["service", "interfaces"],
    ["interfaces", "measurements", "disks", "ping", "time_zone"],
    /\/stat: (?:HOST_PROC|no such file)/,
  ],
  [["network"], ["dns", "connect"], /there is no default route of IPv4/, "no_ipv4_route"],
  [["network", "dev_null"], ["ping"]],
  // The shell starts no program, and systemd can't give the service a /dev of its own.
  [["dev_null"], ["seal"], /getent|Cannot ask the shell/],
  [["dev_null"], ["service"], /226\/NAMESPACE|\/dev\/null/],
  [["ping"], ["probes"], "pings"],
  [["open_files"], ["interfaces", "measurements", "disks", "ping", "state", "seal"]],
];

/** What is the consequence of nothing else, as a process that a signal has stopped, or one that reports. */
const OWN_CAUSES: readonly CheckResult["kind"][] = ["paused", "missing_program", "reporting"];

/** Who has so many looks before him takes no more. */
const MAX_CAUSES = 4;

/** Orders checks by what they need, and marks those that only show the failure of another one. */
export function inOrder(checks: readonly CompletedCheck[]): CompletedCheck[] {
  const place = ({ id }: CompletedCheck) => CHAIN.indexOf(id) + 1 || CHAIN.length + 1;
  // How a panel is reached comes before by what.
  const isReached = ({ panel }: CompletedCheck) =>
    !checks.some((it) =>
      it.status === "failed" && it.panel === panel && ON_THE_WAY.includes(it.id)
    );
  const asked = checks.map((it) =>
    it.kind !== "unencrypted" || isReached(it)
      ? it
      : withLines({ ...it, status: "skipped" as const }, [])
  );
  const ordered = asked.sort((one, other) =>
    rank(one) === rank(other) ? place(one) - place(other) : rank(one) - rank(other)
  );
  const isCause = (link: CompletedCheck, cause: CheckResult["kind"]) =>
    cause === undefined ? link.status === "failed" : rank(link) <= 1 && link.kind === cause;
  const causeOf = (it: CompletedCheck): CompletedCheck | undefined => {
    if (it.follows !== undefined || rank(it) > 1 || OWN_CAUSES.includes(it.kind)) {
      return undefined;
    }
    const cause = ordered.find((link) =>
      link !== it && link.follows === undefined &&
      CONSEQUENCES.some(([links, follow, followsIf = /^/, cause]) =>
        links.includes(link.id) && follow.includes(it.id) && isCause(link, cause) &&
        (followsIf instanceof RegExp ? followsIf.test(it.text) : followsIf === it.kind)
      )
    );
    return cause && (causeOf(cause) ?? cause);
  };
  const found = ordered.map((it) => {
    const cause = causeOf(it);
    return cause === undefined ? it : { ...it, follows: cause.id };
  });
  // What has something fail has failed itself.
  const failing = new Set(
    found.flatMap(({ status, follows }) => status === "failed" ? follows ?? [] : []),
  );
  // What was not checked for a link that itself follows, follows from the same.
  const rootOf = ({ follows, panel }: CompletedCheck) =>
    found.find((it) => it.id === follows && it.panel === panel)?.follows ?? follows;
  return found.map((it) => ({
    ...it,
    causes: it.causes?.slice(0, MAX_CAUSES),
    follows: rootOf(it),
  })).map((it) =>
    it.status === "warning" && it.follows === undefined && failing.has(it.id)
      ? { ...it, status: "failed" as const }
      : it
  ).sort((one, other) => rank(one) - rank(other));
}

function rank({ status }: CompletedCheck): number {
  return status === "failed" ? 0 : status === "warning" ? 1 : 2;
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
} as const satisfies Record<CheckResult["status"], unknown>;

/** How checks are shown. */
export interface ReportLayout {
  readonly language: Language;
  /** Puts the English of checks into the language. */
  readonly inLanguage: (english: string) => string;
  readonly isColored: boolean;
  /** Width of the terminal; longer lines go on below the text. */
  readonly columns?: number;
}

/** The whole report, of checks that are {@linkcode inOrder}. */
export function reportText(checks: readonly CompletedCheck[], layout: ReportLayout): string {
  const isBad = ({ status }: CompletedCheck) => status === "failed" || status === "warning";
  const causes = checks.filter((it) => it.follows === undefined && isBad(it));
  const rest = checks.filter((it) => it.follows === undefined && !isBad(it));
  const blocks = causes.map((cause) => {
    const followers = checks.filter((it) =>
      it.follows === cause.id && (it.panel === undefined || it.panel === cause.panel)
    );
    return causeText(cause, followers, layout);
  });
  return [...blocks, ...restTexts(rest, layout), `${summaryText(causes)}\n`].join("\n");
}

/** A broken link with its panel, its advice, and what follows from it. */
function causeText(
  cause: CompletedCheck,
  followers: readonly CompletedCheck[],
  layout: ReportLayout,
): string {
  const { language, inLanguage, columns = Infinity } = layout;
  const below = (mark: string, text: string) => {
    const lines = wrapped(inLanguage(text), { indent: ADVICE_INDENT + mark.length - 2, columns });
    return `  ${mark} ${lines}\n`;
  };
  const advice = cause.advice === undefined ? [] : [below("→", cause.advice)];
  const causes = (cause.causes ?? []).map((text, at) => below(`${at + 1}.`, text));
  const colon = language === "zh" ? "：" : ": ";
  const shown = followers.filter(({ status }) => status !== "skipped")
    .map(({ title, text }) => `${inLanguage(title)}${colon}${inLanguage(text)}`);
  const titles = followers.filter(({ status }) => status === "skipped")
    .map(({ title }) => inLanguage(title));
  const unchecked = titles.length === 0 ? [] : [`not checked: ${titles.join(", ")}`];
  const consequences = [...shown, ...unchecked].map((text) => below("…", `and therefore: ${text}`));
  const heading = cause.panel === undefined ? "" : `${cause.panel}\n`;
  return [heading, lineOf(cause, layout), ...advice, ...causes, ...consequences].join("");
}

/** What is fine or was not checked: by panels, if there are several. */
function restTexts(rest: readonly CompletedCheck[], layout: ReportLayout): string[] {
  const panels = new Set(rest.map(({ panel }) => panel));
  return [...panels].sort((one, other) => Number(one !== undefined) - Number(other !== undefined))
    .map((panel) =>
      (panel === undefined ? "" : `${panel}\n`) +
      rest.filter((it) => it.panel === panel).map((it) => lineOf(it, layout)).join("")
    );
}

function lineOf(
  { status, title, text, ms }: CompletedCheck,
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

/** The number of causes that have failed, and of those that warn. */
function summaryText(causes: readonly CompletedCheck[]): string {
  const failed = causes.filter(({ status }) => status === "failed").length;
  const warnings = causes.length - failed;
  return causes.length === 0
    ? "Everything is fine."
    : `${failed} failed, ${counted(warnings, "warning")}.`;
}

/** The results as JSON, in English; `cause` is the id of the check that names it. */
export function reportJson(checks: readonly CompletedCheck[]): string {
  const [first] = checks.filter(({ follows }) => follows === undefined);
  return jsonText({
    ok: checks.every(({ status }) => status !== "failed"),
    cause: first?.status === "failed" || first?.status === "warning" ? first.id : undefined,
    checks: checks.map(({ title: _, kind: __, ruledOutByReports: ___, lost: ____, ...shown }) =>
      shown
    ),
  });
}
