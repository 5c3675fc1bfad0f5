/**
 * Logging set-up: one line per event, fit for journald, and no secret in any of them.
 *
 * @module
 */

import {
  configureSync,
  getLogger as getCategory,
  type Logger,
  type LogLevel,
  type LogRecord,
} from "@logtape/logtape";

const ROOT = "komari-agent";

/** The rooms that log. */
export type LogRoom = "agent" | "panel" | "probe" | "remote" | "update";

/** How the log is written. */
export interface LogOptions {
  level: "debug" | "info" | "warning" | "error";
  format: "text" | "json";
  /** Texts that must never appear, such as the token. */
  secrets: readonly string[];
  /** Written for journald: it has its own clock, and takes the level as a number in front. */
  forJournal: boolean;
  /** Takes a line without its line feed. */
  write: (line: string) => void;
}

/** The logger of a room; silent until {@linkcode setUpLog} was called. */
export function getLogger(room: LogRoom): Logger {
  return getCategory([ROOT, room]);
}

/** Sends every room's events to `options.write`. */
export function setUpLog(options: LogOptions): void {
  const format = options.format === "json" ? formatJson : formatText;
  configureSync({
    reset: true,
    sinks: {
      out: (record) => options.write(format(record, options)),
    },
    loggers: [
      { category: ROOT, sinks: ["out"], lowestLevel: options.level },
      { category: ["logtape", "meta"], sinks: ["out"], lowestLevel: "error" },
    ],
  });
}

/**
 * An error in one line: its message and those of its causes, without query strings, since a panel's
 * URL carries the token there.
 */
export function describeError(error: unknown): string {
  const words: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < 5 && current !== undefined && current !== null; depth++) {
    const text = current instanceof Error ? current.message || current.name : String(current);
    // Wrapped errors often say the same again.
    if (!words.some((word) => word.includes(text))) words.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return redactQueries(words.join(": "));
}

/** Text without the query strings of the URLs in it. */
export function redactQueries(text: string): string {
  return text.replace(/\?[^\s()"'<>]*=[^\s()"'<>]*/g, "?…");
}

const JOURNAL_LEVELS: Readonly<Record<LogLevel, number>> = {
  trace: 7,
  debug: 7,
  info: 6,
  warning: 4,
  error: 3,
  fatal: 2,
};

function formatText(record: LogRecord, options: LogOptions): string {
  const line = `${roomOf(record)}: ${messageOf(record, options)}`;
  if (options.forJournal) return `<${JOURNAL_LEVELS[record.level]}>${line}`;
  return `${timeOf(record)} ${record.level.padEnd(7)} ${line}`;
}

function formatJson(record: LogRecord, options: LogOptions): string {
  return JSON.stringify({
    time: timeOf(record),
    level: record.level,
    room: roomOf(record),
    message: messageOf(record, options),
  });
}

function timeOf(record: LogRecord): string {
  return new Date(record.timestamp).toISOString();
}

function roomOf(record: LogRecord): string {
  return record.category.at(-1) ?? ROOT;
}

function messageOf(record: LogRecord, options: LogOptions): string {
  const text = record.message.map((part) =>
    part instanceof Error ? describeError(part) : `${part}`
  );
  // One event is one line, whatever a panel or a kernel put into it, and reads as it was written.
  return redactSecrets(text.join(""), options.secrets).replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]+/gu,
    " ",
  );
}

/** Text without any of the secrets, in any of their spellings. */
export function redactSecrets(text: string, secrets: readonly string[]): string {
  let hidden = text;
  for (const secret of secrets) {
    if (secret === "") continue;
    hidden = hidden.replaceAll(secret, "…").replaceAll(encodeURIComponent(secret), "…");
  }
  return hidden;
}
