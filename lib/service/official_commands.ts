/**
 * Parsers for the command that a service file starts: systemd units, OpenRC scripts,
 * and launchd property lists.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { lookupVariable } from "../parse/os_release.ts";
import { splitQuotedWords, splitShellWords } from "../parse/shell_words.ts";

/** The command of a service, as its file describes it. */
export interface ServiceCommand {
  /** Program and arguments; empty when the file names no program. */
  readonly words: readonly string[];
  /** Variables set by the file; inherited ones are not included. */
  readonly env: Readonly<Record<string, string>>;
  /** Empty when the file names none. */
  readonly workingDirectory: string;
  /** Empty when the file names none. */
  readonly user: string;
}

/** Parses a property list in XML; other formats give an empty command. */
export function parseLaunchdCommand(text: string): ServiceCommand {
  const plain = text.replace(/<!--[\s\S]*?-->/g, "");
  const variables = elementText(plain, "EnvironmentVariables", "dict");
  const pairs = variables.matchAll(/<key>([^<]*)<\/key>\s*<string>([^<]*)<\/string>/g);
  return {
    words: stringValues(elementText(plain, "ProgramArguments", "array")),
    env: Object.fromEntries(
      Array.from(pairs, ([, name = "", value = ""]) => [unescape(name), unescape(value)]),
    ),
    workingDirectory: unescape(elementText(plain, "WorkingDirectory", "string")),
    user: unescape(elementText(plain, "UserName", "string")),
  };
}

/** The text within the value of a key. */
function elementText(text: string, key: string, type: string): string {
  const start = text.search(new RegExp(`<key>\\s*${key}\\s*</key>\\s*<${type}>`));
  if (start === -1) return "";
  const from = text.indexOf(`<${type}>`, start) + type.length + 2;
  const end = text.indexOf(`</${type}>`, from);
  return end === -1 ? "" : text.slice(from, end);
}

function stringValues(text: string): string[] {
  return Array.from(text.matchAll(/<string>([^<]*)<\/string>|<string\/>/g), ([, value = ""]) => {
    return unescape(value);
  });
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

function unescape(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w+));/gi, (all, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? all;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
}

/** Parses an OpenRC script: `command=`, and `command_args=` split as a shell does. */
export function parseOpenrcCommand(text: string): ServiceCommand {
  const value = (key: string) => variableValue(text, key);
  const [user = ""] = value("command_user").split(":");
  return {
    words: commandWords(value("command"), splitShellWords(value("command_args"))),
    env: exportedVariables(text),
    workingDirectory: value("directory"),
    user,
  };
}

function commandWords(binary: string, args: readonly string[]): string[] {
  return binary === "" ? [] : [binary, ...args];
}

/** A variable's value, with references to other variables of the script expanded. */
function variableValue(text: string, key: string, depth = 0): string {
  const value = lookupVariable(text, key) ?? "";
  if (depth > 5) return value;
  return value.replace(
    /\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g,
    (all, braced, bare) => variableValue(text, braced ?? bare, depth + 1) || all,
  );
}

function exportedVariables(text: string): Record<string, string> {
  const lines = Array.from(text.matchAll(/^\s*export\s+([A-Za-z_]\w*)=(.*)$/gm));
  return Object.fromEntries(
    lines.map(([, name = "", value = ""]) => [name, splitShellWords(value)[0] ?? ""]),
  );
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  s: " ",
  "\\": "\\",
  '"': '"',
  "'": "'",
};

/**
 * Splits a unit file's command line into words, by the quotes and escapes of `systemd.service(5)`
 * and `systemd.syntax(7)`. An open quote ends with the line.
 */
export function splitSystemdWords(line: string): string[] {
  return splitQuotedWords(line, unescapeSystemd);
}

/** The text of an escape, and its length after the backslash. */
function unescapeSystemd(rest: string): { text: string; length: number } {
  const named = ESCAPES[rest.charAt(0)];
  if (named !== undefined) return { text: named, length: 1 };
  const hex = /^(?:x([0-9a-f]{2})|u([0-9a-f]{4}))/i.exec(rest);
  if (hex !== null) {
    const code = Number.parseInt(hex[1] ?? hex[2] ?? "", 16);
    return { text: String.fromCharCode(code), length: hex[0].length };
  }
  const octal = /^[0-3][0-7]{2}/.exec(rest);
  if (octal !== null) {
    return { text: String.fromCharCode(Number.parseInt(octal[0], 8)), length: 3 };
  }
  return { text: "\\", length: 0 };
}

/**
 * Expands variables: `${NAME}` within a word, `$NAME` alone into as many words as its value has,
 * `$$` into a dollar sign.
 */
export function expandSystemdWords(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): string[] {
  return words.flatMap((word) => {
    const whole = /^\$([A-Za-z_]\w*)$/.exec(word);
    if (whole !== null) return splitSystemdWords(env[whole[1] ?? ""] ?? "");
    return [
      word.replace(
        /\$\$|\$\{([A-Za-z_]\w*)\}/g,
        (_all, name) => name === undefined ? "$" : env[name] ?? "",
      ),
    ];
  });
}

/**
 * Parses a systemd unit.
 *
 * @param text The unit file, followed by its drop-ins.
 * @param readText Reads an `EnvironmentFile=`; a file for which it throws counts as empty.
 */
export function parseSystemdCommand(
  text: string,
  readText: (path: string) => string,
): ServiceCommand {
  const settings = [...serviceSettings(text)];
  const values = (key: string) => settings.flatMap(([name, value]) => name === key ? [value] : []);
  const last = (key: string) => values(key).at(-1) ?? "";
  // An empty value takes those before it back.
  const list = (key: string) => values(key).slice(values(key).lastIndexOf("") + 1);
  const env = Object.fromEntries([
    ...list("Environment").flatMap((line) => splitSystemdWords(unescapePercent(line)))
      .flatMap(parseAssignment),
    ...list("EnvironmentFile").flatMap((file) =>
      parseEnvironmentFile(attempt(() => readText(file.replace(/^-/, ""))) ?? "")
    ),
  ]);
  const [prefixed = "", ...args] = splitSystemdWords(unescapePercent(last("ExecStart")));
  const [, prefix = "", binary = ""] = /^([-@:+!|]*)(.*)$/s.exec(prefixed) ?? [];
  const words = binary === "" ? [] : [binary, ...args];
  return {
    words: prefix.includes(":") ? words : expandSystemdWords(words, env),
    env,
    workingDirectory: unescapePercent(last("WorkingDirectory").replace(/^-/, "")),
    user: last("User"),
  };
}

/** The settings of `[Service]` in order, with continuation lines joined. */
function* serviceSettings(text: string): Generator<[key: string, value: string]> {
  let section = "";
  let begun = "";
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim();
    // Comments are allowed between continuation lines.
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

/**
 * Parses an `EnvironmentFile=`: one assignment per line, blanks and quotes around values removed.
 */
function parseEnvironmentFile(text: string): [name: string, value: string][] {
  return text.split(/\r?\n/).flatMap((line) => {
    const equals = line.indexOf("=");
    if (equals === -1) return [];
    const value = line.slice(equals + 1).trim();
    const quoted = /^(["'])(.*)\1$/.exec(value);
    // The name of a comment is none.
    return parseAssignment(`${line.slice(0, equals).trim()}=${quoted?.[2] ?? value}`);
  });
}

function parseAssignment(word: string): [name: string, value: string][] {
  const [, name, value = ""] = /^([A-Za-z_]\w*)=(.*)$/s.exec(word) ?? [];
  return name === undefined ? [] : [[name, value]];
}

/** Specifiers other than `%%` are not used in such units. */
function unescapePercent(text: string): string {
  return text.replaceAll("%%", "%");
}
