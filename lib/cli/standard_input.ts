import type { Language } from "../config/environment.ts";
import { printError } from "./output.ts";

const PROMPT = { en: "Token: ", zh: "令牌：" } as const;

/** Keys in the raw mode of a terminal. */
const KEYS = { interrupt: 0x03, end: 0x04, erase: 0x7f, newline: 0x0a, enter: 0x0d } as const;

/**
 * All of standard input, or at a terminal one line, which is not shown.
 *
 * @throws {Error} When it can't be read, or the user ends it by Ctrl-C.
 */
export function readStandardInput(language: Language): string {
  if (!Deno.stdin.isTerminal()) return Deno.readTextFileSync("/dev/stdin");
  Deno.stderr.writeSync(new TextEncoder().encode(PROMPT[language]));
  Deno.stdin.setRaw(true);
  try {
    return readHiddenLine();
  } finally {
    Deno.stdin.setRaw(false);
    printError("");
  }
}

function readHiddenLine(): string {
  const line: number[] = [];
  const key = new Uint8Array(1);
  while (Deno.stdin.readSync(key) === 1) {
    const [code = 0] = key;
    if (code === KEYS.interrupt) throw new Error("interrupted");
    if (code === KEYS.enter || code === KEYS.newline || code === KEYS.end) break;
    if (code === KEYS.erase) line.pop();
    else line.push(code);
  }
  return new TextDecoder().decode(Uint8Array.from(line));
}
