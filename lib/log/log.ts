/**
 * Logging set-up: one line per event, suitable for journald, without secrets.
 *
 * @module
 */

import {
  configureSync,
  type ContextLocalStorage,
  getLogger as getCategory,
  type Logger,
  type LogLevel,
  type LogRecord,
  withContext,
} from "@logtape/logtape";
import { withoutArrows } from "../parse/bounded_text.ts";
import { LogRateLimit } from "./rate_limit.ts";
import { oneLine, redactQueries, redactSecrets } from "./redact.ts";

const ROOT = "komari-agent";

/** The parts of the program that log. */
export type LogComponent = "agent" | "net" | "panel" | "probe" | "remote" | "update";

/** Those whose lines a panel or the network can cause. */
const LIMITED: ReadonlySet<string> = new Set<LogComponent>(["net", "panel", "probe", "remote"]);
/** Lines of these in any minute, for each panel; with one line that some were dropped. */
const LINES_PER_MINUTE = 6;
/** So that a warning, which may be given once, has room beside what the panel orders. */
const INFOS_PER_MINUTE = 5;
const ERRORS_PER_MINUTE = 2;

/** Settings of the log. */
export interface LogOptions {
  level: "debug" | "info" | "warning" | "error";
  format: "text" | "json";
  /** Texts that are removed from every line, such as the token. */
  secrets: readonly string[];
  /** Writes for journald: without a time, and with the level as a number in front. */
  forJournal: boolean;
  /** Writes for a person: with the local time, and colored levels if `colors` is set. */
  terminal?: { readonly colors: boolean } | undefined;
  /** Writes a line, which has no line feed. */
  write: (line: string) => void;
  /** Remembers across `await` which panel a line is about; needed only with several panels. */
  contexts?: ContextLocalStorage<Record<string, unknown>>;
}

/** Gets the logger of a component; silent until {@linkcode setUpLog} was called. */
export function getLogger(component: LogComponent): Logger {
  return getCategory([ROOT, component]);
}

/** Names the panel in every line that `act` logs, now and in all that it starts. */
export function withPanel<T>(panel: string, act: () => T): T {
  return withContext({ panelName: panel }, act);
}

/** Starts writing the events of all components to `options.write`. */
export function setUpLog(options: LogOptions): void {
  const format = options.format === "json" ? formatJson : formatText;
  const budgets = new Map<string | undefined, LineBudget>();
  const write = (record: LogRecord) => {
    // At level debug every line is wanted.
    if (options.level === "debug" || !LIMITED.has(componentOf(record))) {
      return options.write(format(record, options));
    }
    const budget = budgets.get(panelOf(record)) ?? new LineBudget();
    budgets.set(panelOf(record), budget);
    for (const allowed of budget.spend(record)) options.write(format(allowed, options));
  };
  configureSync({
    reset: true,
    contextLocalStorage: options.contexts,
    sinks: { out: write },
    loggers: [
      { category: ROOT, sinks: ["out"], lowestLevel: options.level },
      { category: ["logtape", "meta"], sinks: ["out"], lowestLevel: "error" },
    ],
  });
}

/** Bounds the lines about one panel, whatever it or the network does. */
class LineBudget {
  readonly #lines = new LogRateLimit({ lines: LINES_PER_MINUTE });
  readonly #infos = new LogRateLimit({ lines: INFOS_PER_MINUTE });
  readonly #errors = new LogRateLimit({ lines: ERRORS_PER_MINUTE });
  readonly #notices = new LogRateLimit();

  /** The lines that may be written for an event: it, or that it is dropped, or nothing. */
  spend(record: LogRecord): readonly LogRecord[] {
    // They are few by themselves: no other line may hide that nothing is reported, or what was refused.
    if (/^(outage .*|refusal)$/.test(`${record.properties.event}`)) return [record];
    const limit = record.level === "error" ? this.#errors : this.#lines;
    const isDropped = record.level === "info" && !this.#infos.allows();
    if (!isDropped && limit.allows()) return [record];
    if (!this.#notices.allows()) return [];
    const message = ["Too many lines: further ones are dropped for up to a minute"];
    return [{ ...record, level: "warning", message, rawMessage: message.join("") }];
  }
}

/**
 * Describes an error in one line: its message and those of its causes, without the query strings of
 * URLs and what only programmers read.
 */
export function describeError(error: unknown): string {
  const words: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < 5 && current !== undefined && current !== null; depth++) {
    const text = current instanceof Error ? current.message || current.name : String(current);
    // Wrapped errors often repeat the message, or begin with it.
    if (text.startsWith(`${words.at(-1)}: `)) words.pop();
    if (!words.some((word) => word.includes(text))) words.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  const text = words.join(": ").replaceAll(FOR_PROGRAMMERS, "");
  // A panel's words in it may hold line feeds and colors.
  return oneLine(redactQueries(text.replace(CALL, (call, path: string, at: number) => {
    const named = text.slice(0, at).split(/[\s:]/);
    return named.some((it) => it !== "" && (path === it || path.startsWith(`${it}/`))) ? "" : call;
  })));
}

/** The runtime's call, which says no more where the file or its folder is named before. */
const CALL = /: [a-z]+ '([^']+)'(?: -> '[^']+')?/g;

/** Where a library explains its error, names a call of its own, or the number of the system's. */
const FOR_PROGRAMMERS = /:? https:\/\/docs\.rs\/\S+| \(os error \d+\)|: getaddrinfo E\w+ \S+/g;

const JOURNAL_LEVELS: Readonly<Record<LogLevel, number>> = {
  trace: 7,
  debug: 7,
  info: 6,
  warning: 4,
  error: 3,
  fatal: 2,
};

function formatText(record: LogRecord, options: LogOptions): string {
  const panel = panelOf(record);
  const name = panel === undefined ? "" : `[${panel}] `;
  const line = `${componentOf(record)}: ${name}${messageOf(record, options)}`;
  if (options.forJournal) return `<${JOURNAL_LEVELS[record.level]}>${line}`;
  const level = record.level.padEnd(7);
  if (options.terminal === undefined) return `${timeOf(record)} ${level} ${line}`;
  const color = options.terminal.colors ? COLORS[record.level] : undefined;
  const shown = color === undefined ? level : `\x1b[${color}m${level}\x1b[0m`;
  return `${localTimeOf(record)} ${shown} ${line}`;
}

/** Colors of levels on a terminal, as ANSI numbers. */
const COLORS: Readonly<Partial<Record<LogLevel, number>>> = {
  trace: 90,
  debug: 90,
  warning: 33,
  error: 31,
  fatal: 31,
};

function localTimeOf(record: LogRecord): string {
  const date = new Date(record.timestamp);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0")).join(":");
}

function formatJson(record: LogRecord, options: LogOptions): string {
  const { panel, ...fields } = fieldsOf(record, options);
  const fixed = {
    time: timeOf(record),
    level: record.level,
    component: componentOf(record),
    panel: panelOf(record) ?? panel,
    message: messageOf(record, options),
  };
  // These come first, and no property of an event replaces them.
  return JSON.stringify({ ...fixed, ...fields, ...fixed });
}

/** Properties that repeat the message, or that are fields already. */
const HIDDEN_FIELDS: ReadonlySet<string> = new Set(["text", "panelName"]);

/** The properties of an event, as the documentation names them; texts are as safe as the message. */
function fieldsOf(record: LogRecord, options: LogOptions): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(record.properties).filter(([name]) => !HIDDEN_FIELDS.has(name))
      .map(([name, value]) => {
        if (typeof value === "number" || typeof value === "boolean") return [name, value];
        return [name, value === undefined ? undefined : safeText([value], options)];
      }),
  );
}

function timeOf(record: LogRecord): string {
  return new Date(record.timestamp).toISOString();
}

function componentOf(record: LogRecord): string {
  return record.category.at(-1) ?? ROOT;
}

/** The panel that the line is about; absent with a single panel. */
function panelOf({ properties: { panelName } }: LogRecord): string | undefined {
  return typeof panelName === "string" ? panelName : undefined;
}

function messageOf(record: LogRecord, options: LogOptions): string {
  const { action, outages } = record.properties;
  // An arrow stands before advice, so no other value may have one. Values have odd indexes.
  const parts = record.message.map((part, at) =>
    typeof part === "string" && at % 2 === 1 && part !== action && part !== outages
      ? withoutArrows(part)
      : part
  );
  return safeText(parts, options);
}

/** Text without secrets, in one line. */
function safeText(parts: readonly unknown[], options: LogOptions): string {
  const text = parts.map((part) => part instanceof Error ? describeError(part) : `${part}`);
  // Text of a panel or a kernel may hold line feeds and control characters.
  return oneLine(redactSecrets(text.join(""), options.secrets));
}

/** Milliseconds for a log line: with one decimal below 10, whole above. */
export function roundMs(ms: number): number {
  return ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms);
}
