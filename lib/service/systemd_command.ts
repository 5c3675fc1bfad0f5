import type { ServiceCommand } from "./service_command.ts";
import { expandSystemdWords, splitSystemdWords } from "./systemd_words.ts";

/**
 * What a systemd unit starts.
 *
 * `text` is the unit's file, with those of its drop-ins behind it. `readText` gives what an
 * `EnvironmentFile=` names and throws when it can't; such a file counts as empty.
 */
export function parseSystemdCommand(
  text: string,
  readText: (path: string) => string,
): ServiceCommand {
  let start = "";
  let workingDirectory = "";
  let user = "";
  let assignments: string[] = [];
  let files: string[] = [];
  for (const [key, value] of settingsOf(text)) {
    if (key === "ExecStart") start = value;
    else if (key === "WorkingDirectory") workingDirectory = value.replace(/^-/, "");
    else if (key === "User") user = value;
    else if (key === "Environment") {
      assignments = value === "" ? [] : [...assignments, ...splitSystemdWords(plainPercent(value))];
    } else if (key === "EnvironmentFile") files = value === "" ? [] : [...files, value];
  }
  const env = Object.fromEntries([
    ...assignments.flatMap(assignmentOf),
    ...files.flatMap((file) => variablesOf(textOf(file.replace(/^-/, ""), readText))),
  ]);
  const [prefixed = "", ...args] = splitSystemdWords(plainPercent(start));
  const [, prefix = "", binary = ""] = /^([-@:+!|]*)(.*)$/s.exec(prefixed) ?? [];
  const words = binary === "" ? [] : [binary, ...args];
  return {
    words: prefix.includes(":") ? words : expandSystemdWords(words, env),
    env,
    workingDirectory: plainPercent(workingDirectory),
    user,
  };
}

/** The settings of `[Service]` in their order; lines that end in a backslash go on in the next. */
function* settingsOf(text: string): Generator<[key: string, value: string]> {
  let section = "";
  let begun = "";
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim();
    // A comment may stand within a setting that goes on.
    if (trimmed.startsWith("#") || trimmed.startsWith(";")) continue;
    if (line.endsWith("\\")) {
      begun += `${line.slice(0, -1)} `;
      continue;
    }
    const whole = (begun + line).trim();
    begun = "";
    const header = /^\[(.*)\]$/.exec(whole);
    if (header !== null) section = header[1] ?? "";
    const equals = whole.indexOf("=");
    if (header !== null || section !== "Service" || equals === -1) continue;
    yield [whole.slice(0, equals).trim(), whole.slice(equals + 1).trim()];
  }
}

/** The files that a variable's values come from: a line each, blanks and quotes around them go. */
function variablesOf(text: string): [name: string, value: string][] {
  return text.split(/\r?\n/).map((line) => line.trim())
    .filter((line) => !line.startsWith("#") && !line.startsWith(";"))
    .flatMap((line) => {
      const equals = line.indexOf("=");
      if (equals === -1) return [];
      const value = line.slice(equals + 1).trim();
      const quoted = /^(["'])(.*)\1$/.exec(value);
      return assignmentOf(`${line.slice(0, equals).trim()}=${quoted?.[2] ?? value}`);
    });
}

function assignmentOf(word: string): [name: string, value: string][] {
  const [, name, value = ""] = /^([A-Za-z_]\w*)=(.*)$/s.exec(word) ?? [];
  return name === undefined ? [] : [[name, value]];
}

function textOf(path: string, readText: (path: string) => string): string {
  try {
    return readText(path);
  } catch {
    return "";
  }
}

/** Of the signs that systemd puts in only the one for `%` itself has a meaning in such a unit. */
function plainPercent(text: string): string {
  return text.replaceAll("%%", "%");
}
