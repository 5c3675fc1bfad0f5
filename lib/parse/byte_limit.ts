import { decimalAt } from "./decimal_at.ts";
import { lineAt } from "./line_at.ts";

/**
 * Reads a control group's limit in bytes, `memory.max` or `memory.limit_in_bytes`; `undefined`
 * when there is none.
 *
 * Version 2 writes `max` for none, version 1 the largest number of whole pages, which is far beyond
 * what can be told exactly.
 *
 * @throws {SyntaxError} When it is neither; the message quotes it.
 */
export function parseByteLimit(text: string): number | undefined {
  const word = text.trimEnd();
  if (word === "max") return undefined;
  if (/^\d{1,20}$/.test(word)) return decimalAt(word, 0);
  throw new SyntaxError(`Cannot parse a memory limit: no bytes in "${lineAt(text, 0)}"`);
}
