/**
 * What the scripts of OpenRC and procd start.
 *
 * @module
 */

import { assignedValue } from "../parse/assigned_value.ts";
import type { ServiceCommand } from "./service_command.ts";
import { splitShellWords } from "./shell_words.ts";

/** What a script of OpenRC starts: `command=` with `command_args=`, which are words of a shell. */
export function parseOpenrcCommand(text: string): ServiceCommand {
  const value = (key: string) => valueOf(text, key);
  const [user = ""] = value("command_user").split(":");
  return {
    words: wordsOf(value("command"), splitShellWords(value("command_args"))),
    env: exportedIn(text),
    workingDirectory: value("directory"),
    user,
  };
}

/** What a script of procd starts: `PROG=` with `ARGS=`, which nothing but blanks divide. */
export function parseProcdCommand(text: string): ServiceCommand {
  const args = valueOf(text, "ARGS").split(/\s+/).filter((word) => word !== "");
  const [, user = ""] = /^\s*procd_set_param\s+user\s+["']?([\w.-]+)/m.exec(text) ?? [];
  return {
    words: wordsOf(valueOf(text, "PROG"), args),
    env: exportedIn(text),
    workingDirectory: "",
    user,
  };
}

function wordsOf(binary: string, args: readonly string[]): string[] {
  return binary === "" ? [] : [binary, ...args];
}

/** A value with the variables in it that the same script sets. */
function valueOf(text: string, key: string, depth = 0): string {
  const value = assignedValue(text, key) ?? "";
  if (depth > 5) return value;
  return value.replace(
    /\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g,
    (all, braced, bare) => valueOf(text, braced ?? bare, depth + 1) || all,
  );
}

function exportedIn(text: string): Record<string, string> {
  const lines = Array.from(text.matchAll(/^\s*export\s+([A-Za-z_]\w*)=(.*)$/gm));
  return Object.fromEntries(
    lines.map(([, name = "", value = ""]) => [name, splitShellWords(value)[0] ?? ""]),
  );
}
