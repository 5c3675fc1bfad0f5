/**
 * Parsers for the command that a service file starts: systemd units, OpenRC scripts,
 * and launchd property lists.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { lookupVariable } from "../parse/os_release.ts";
import { splitShellWords } from "../parse/shell_words.ts";

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
  const [, section = ""] = /^\[Service\]$([^]*)/m.exec(text.replaceAll(/\\\r?\n/g, " ")) ?? [];
  const found = Array.from(
    section.matchAll(/^\s*([A-Za-z]+)\s*=[ \t]*(.*?)\s*$/gm),
    ([, key, value = ""]) => [key, value.replaceAll("%%", "%")] as const,
  );
  const values = (key: string) => found.flatMap(([name, value]) => name === key ? [value] : []);
  const last = (key: string) => values(key).at(-1) ?? "";
  // An empty value takes those before it back.
  const list = (key: string) => values(key).slice(values(key).lastIndexOf("") + 1);
  const files = list("EnvironmentFile").flatMap((file) =>
    (attempt(() => readText(file.replace(/^-/, ""))) ?? "").split("\n")
  );
  const assignments = [...list("Environment").flatMap(splitShellWords), ...files];
  const env = Object.fromEntries(assignments.flatMap((word) => {
    const [, name, value = ""] = /^([A-Za-z_]\w*)=\s*(.*?)\s*$/s.exec(word) ?? [];
    return name === undefined ? [] : [[name, value.replace(/^(["'])(.*)\1$/, "$2")] as const];
  }));
  const [binary = "", ...args] = splitShellWords(last("ExecStart").replace(/^[-@:+!|]+/, ""));
  const expanded = args.flatMap((word) => {
    const name = /^\$([A-Za-z_]\w*)$/.exec(word)?.[1];
    if (name !== undefined) return splitShellWords(env[name] ?? "");
    return [word.replace(/\$\{([A-Za-z_]\w*)\}/g, (_all, name) => env[name] ?? "")];
  });
  return {
    words: commandWords(binary, expanded),
    env,
    workingDirectory: last("WorkingDirectory").replace(/^-/, ""),
    user: last("User"),
  };
}
