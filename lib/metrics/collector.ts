/**
 * Collectors: one measures one metric; others are wrapped around it.
 *
 * @module
 */

import type { Source } from "../host/host.ts";

/** Measures one metric anew at every report; `undefined` means "no data". */
export interface Collector<T> {
  /** @throws {Error} When the source can't be read. */
  collect(): T | undefined;
  /** Value to report in place of one that could not be measured. */
  lastKnown?(): T | undefined;
  /** Part that is missing in the last value, such as a malformed line of its source. */
  missingPart?(): Error | undefined;
}

/**
 * Makes reading fail where a file is missing that every machine has. `path` is for the message.
 *
 * @throws {Error} At each reading while the file is missing.
 */
export function requiredSource(source: Source, path: string): Source {
  return {
    read() {
      const text = source.read();
      if (text === undefined) throw new Error(`Cannot read ${path}: no such file`);
      return text;
    },
  };
}

/** Makes a collector of a source and the parser of its text; no text is no data. */
export function sourceCollector<T>(source: Source, parse: (text: string) => T): Collector<T> {
  return {
    collect() {
      const text = source.read();
      return text === undefined ? undefined : parse(text);
    },
  };
}

/** Wraps a collector of what changes slowly, and asks it only after `everyMs`. */
export class PacedCollector<T> implements Collector<T> {
  readonly #collector: Collector<T>;
  readonly #everyMs: number;
  #value: T | undefined;
  #collectedAtMs = -Infinity;

  constructor(collector: Collector<T>, everyMs: number) {
    this.#collector = collector;
    this.#everyMs = everyMs;
  }

  /** @throws {Error} Whatever the wrapped collector throws; it is asked again the next time. */
  collect(): T | undefined {
    const nowMs = performance.now();
    const isFresh = nowMs - this.#collectedAtMs < this.#everyMs;
    if (isFresh && this.#value !== undefined) return this.#value;
    this.#value = undefined;
    this.#value = this.#collector.collect();
    this.#collectedAtMs = nowMs;
    return this.#value;
  }

  /** Part that is missing in the last collected value. */
  missingPart(): Error | undefined {
    return this.#collector.missingPart?.();
  }
}

/** Age limit of a value that stands in for one that can't be measured. */
const MAX_AGE_MS = 60_000;

/** Wraps a collector and remembers its last value for a minute. */
export class LastKnown<T> implements Collector<T> {
  readonly #collector: Collector<T>;
  #value: T | undefined;
  #collectedAtMs = -Infinity;

  constructor(collector: Collector<T>) {
    this.#collector = collector;
  }

  /** @throws {Error} Whatever the wrapped collector throws. */
  collect(): T | undefined {
    this.#value = this.#collector.collect();
    this.#collectedAtMs = performance.now();
    return this.#value;
  }

  /** The last collected value; `undefined` when it is more than a minute old. */
  lastKnown(): T | undefined {
    if (performance.now() - this.#collectedAtMs > MAX_AGE_MS) this.#value = undefined;
    return this.#value;
  }

  /** Part that is missing in the last collected value. */
  missingPart(): Error | undefined {
    return this.#collector.missingPart?.();
  }
}
