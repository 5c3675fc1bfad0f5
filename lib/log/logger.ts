/**
 * Events of the program, each with a level, a component and a text with its values.
 *
 * A library for it (LogTape) makes 42 KB of the agent's script, a tenth of it; this one 1 KB.
 *
 * @module
 */

/** The levels of events, the least first. */
export const LEVELS = ["debug", "info", "warning", "error"] as const;

/** How much an event matters. */
export type LogLevel = typeof LEVELS[number];

/** The values in a text and beside it, by name. */
export type LogProperties = Readonly<Record<string, unknown>>;

/** One event. */
export interface LogRecord {
  readonly level: LogLevel;
  readonly component: string;
  /** The text, in parts: each second one is a value. */
  readonly message: readonly unknown[];
  readonly properties: LogProperties;
  /** In milliseconds since 1970. */
  readonly timestamp: number;
}

/** Properties that all events of a piece of work have, also behind an `await`. */
export interface LogContexts {
  run<T>(properties: LogProperties, act: () => T): T;
  getStore(): LogProperties | undefined;
}

/** Where the events of a process go. */
export interface LogOutput {
  readonly level: LogLevel;
  readonly contexts?: LogContexts | undefined;
  write(record: LogRecord): void;
}

declare global {
  /** The output of this process; the commands of a build are a program of their own, and share it. */
  var komariAgentLog: { output?: LogOutput } | undefined;
}

const current = globalThis.komariAgentLog ??= {};

/** Sends all further events to an output. */
export function setLogOutput(output: LogOutput): void {
  current.output = output;
}

/** Runs a piece of work whose events have these properties, if the output can tell them apart. */
export function withLogProperties<T>(properties: LogProperties, act: () => T): T {
  const { contexts } = current.output ?? {};
  return contexts === undefined ? act() : contexts.run(properties, act);
}

/** Logs the events of a component; nothing until there is an output. */
export class Logger {
  readonly #component: string;

  constructor(component: string) {
    this.#component = component;
  }

  /** Whether events of a level are wanted. */
  isEnabledFor(level: LogLevel): boolean {
    const { output } = current;
    return output !== undefined && LEVELS.indexOf(level) >= LEVELS.indexOf(output.level);
  }

  debug(text: string, properties?: LogProperties): void {
    this.#log("debug", text, properties);
  }

  info(text: string, properties?: LogProperties): void {
    this.#log("info", text, properties);
  }

  warning(text: string, properties?: LogProperties): void {
    this.#log("warning", text, properties);
  }

  error(text: string, properties?: LogProperties): void {
    this.#log("error", text, properties);
  }

  #log(level: LogLevel, text: string, values: LogProperties = {}): void {
    const { output } = current;
    if (output === undefined || !this.isEnabledFor(level)) return;
    const message = text.split(/\{(\w+)\}/).map((part, at) => at % 2 === 0 ? part : values[part]);
    try {
      output.write({
        ...{ level, component: this.#component, message, timestamp: Date.now() },
        properties: { ...output.contexts?.getStore(), ...values },
      });
    } catch {
      // Nobody reads it any more, and the program goes on.
    }
  }
}
