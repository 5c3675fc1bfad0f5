/**
 * Standard output, standard error, and the log that goes there.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { isUsageError } from "../config/usage_error.ts";
import { NO_STUB, NO_STUB_VALUE, openLibrary } from "../host/ffi.ts";
import { describeError, getLogger, type LogOptions, setUpLog } from "../log/log.ts";
import { printable, redactSecrets } from "../log/redact.ts";
import { writeAllSync } from "../io/write_all.ts";

/** A value as the output of `--json`. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2) + "\n";
}

/** Width of the terminal that shows the output, or of `COLUMNS`; infinite where neither is known. */
export function terminalColumns({ COLUMNS = "" }: Readonly<Record<string, string>>): number {
  if (Deno.stdout.isTerminal()) return attempt(() => Deno.consoleSize().columns) ?? Infinity;
  return /^[1-9]\d{0,3}$/.test(COLUMNS) ? Number(COLUMNS) : Infinity;
}

/** Writes to standard output, without what would act on a terminal. */
export function print(text: string): void {
  write(Deno.stdout, printable(text));
}

/** Writes a line to standard error, without what would act on a terminal. */
export function printError(line: string): void {
  write(Deno.stderr, `${printable(line)}\n`);
}

/** Both of a command: in its user's language, and without secrets, of which more may become known. */
export function outputWithout(
  secrets: readonly string[],
  inLanguage: (english: string) => string,
): { print: typeof print; printError: typeof printError } {
  const shown = (text: string) => inLanguage(redactSecrets(text, secrets));
  return { print: (text) => print(shown(text)), printError: (line) => printError(shown(line)) };
}

function write(stream: typeof Deno.stdout, text: string): void {
  // A reader that has closed the pipe is no reason to end.
  attempt(() => writeAllSync(stream, new TextEncoder().encode(text)));
}

/**
 * Sends the log to standard error, or to `write`, beginning with the notices of the configuration.
 */
export function logToStandardError(
  { logLevel: level, logFormat: format, notices }: Pick<
    Config,
    "logLevel" | "logFormat" | "notices"
  >,
  secrets: readonly string[],
  { contexts, write = printError, forJournal = Deno.env.has("JOURNAL_STREAM") }: Partial<
    Pick<LogOptions, "contexts" | "write" | "forJournal">
  > = {},
): void {
  const terminal = Deno.stderr.isTerminal() ? { colors: !Deno.noColor } : undefined;
  setUpLog({
    ...{ level, format, secrets, contexts, terminal },
    forJournal: forJournal && format === "text",
    write: whileRead(write),
  });
  for (const notice of notices) getLogger("agent").warning("{notice}", { notice });
}

/** Logs errors that no code handles, and keeps the agent running. */
export function logUnhandledErrors(): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    getLogger("agent").error("Unexpected: {error}", { error: describeError(event.reason) });
  });
}

/** The error that ended the program, in one line for its user. */
export function explainError(error: unknown): string {
  if (isUsageError(error)) return error.message;
  const hint = isForbidden(error) ? "; run it with --allow-all" : "";
  return describeError(error) + hint;
}

/** Whether the runtime lacks a permission. */
function isForbidden(error: unknown): boolean {
  return error instanceof Deno.errors.NotCapable ||
    (error instanceof Error && isForbidden(error.cause));
}

const SYMBOLS = {
  poll: { parameters: ["buffer", "usize", "i32", NO_STUB], result: "i32" },
} as const;

const STANDARD_ERROR = 2;
const POLLOUT = 4;

/** A reader that takes nothing for so long has stopped. */
const READER_MS = 1_000;

/**
 * Writes lines to standard error as long as they are read.
 *
 * A write into a full pipe waits for its reader, and meanwhile the process neither reports nor ends at a
 * signal. So lines are dropped while there is no room.
 */
function whileRead(write: (line: string) => void): (line: string) => void {
  // It stays open, for the seal lets none be opened.
  const library = Deno.build.os === "linux" ? attempt(() => openLibrary(SYMBOLS)) : undefined;
  if (library === undefined) return write;
  const { poll } = library.symbols;
  let isRead = true;
  return (line) => {
    // A `struct pollfd`, whose second half becomes what was found.
    const request = Int32Array.of(STANDARD_ERROR, POLLOUT);
    // A signal interrupts it.
    isRead = poll(request, 1n, isRead ? READER_MS : 0, NO_STUB_VALUE) > 0;
    if (isRead) write(line);
  };
}
