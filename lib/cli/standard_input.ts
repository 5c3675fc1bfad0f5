import { attempt } from "../attempt.ts";
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

/** The user of the container image. */
const IMAGE_USER = 65532;

/**
 * Reads a file's text.
 *
 * @throws {Error} When it can't be read; where this user may not, with the command that changes that.
 */
export function readOwnText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.PermissionDenied)) throw cause;
    throw new Error(denial(path), { cause });
  }
}

/** Why this user may not read a file, and the command that changes that. */
function denial(path: string): string {
  const uid = Deno.uid();
  const info = attempt(() => Deno.statSync(path));
  if (info === undefined) {
    return `user ${uid} may not enter its folder \u2192 see which one: namei -l ${path}`;
  }
  const mode = ((info.mode ?? 0) & 0o777).toString(8);
  const place = uid === IMAGE_USER ? " (on the host: the file that is mounted there)" : "";
  const command = info.uid === uid
    ? `chmod u+r ${path}`
    // Who owns a configuration may change it: `install` takes none that is not root's.
    : path.endsWith(".json")
    ? `chgrp ${Deno.gid()} ${path} && chmod g+r ${path}`
    : `chown ${uid} ${path}`;
  return `user ${uid} may not read it, which is user ${info.uid}'s with mode ${mode} \u2192 ${command}${place}`;
}
