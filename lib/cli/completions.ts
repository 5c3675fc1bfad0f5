/**
 * The commands `completions`: completion scripts for shells, from the tables of commands and options.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { type Command, COMMAND_ROWS, isCommand } from "../config/commands.ts";
import type { Language } from "../config/language.ts";
import type { Option } from "../config/option.ts";
import { OPTION_ROWS } from "../config/option_table.ts";
import type { CommandContext } from "./command.ts";
import { optionsOf } from "./help.ts";
import { PROGRAM } from "../version.ts";
import { quoteShellWord } from "../parse/shell_words.ts";

/** A shell with completions. */
export type CompletionShell = "bash" | "zsh" | "fish";

/** Prints the completions of the shell that the command names. */
export function runCompletions(
  { command, language }: Config,
  { print }: CommandContext,
): number {
  const shell = (["bash", "zsh", "fish"] as const).find((name) => command.endsWith(` ${name}`));
  print(completions(shell ?? "bash", language));
  return 0;
}

/** The completion script of a shell. */
export function completions(shell: CompletionShell, language: Language): string {
  const writers = { bash: bashScript, zsh: zshScript, fish: fishScript };
  return writers[shell](language);
}

/** Second words by the first words of commands. */
function secondWords(): Map<string, string[]> {
  const words = new Map<string, string[]>();
  for (const [name] of COMMAND_ROWS) {
    const [first = "", second] = name.split(" ");
    words.set(first, [...words.get(first) ?? [], ...(second === undefined ? [] : [second])]);
  }
  return words;
}

function flagsOf(rows: readonly Option<unknown>[]): string[] {
  return rows.flatMap(({ flag, short }) => [
    ...(short === undefined ? [] : [`-${short}`]),
    ...(flag === undefined ? [] : [`--${flag}`]),
  ]);
}

/** The values of an option that takes one of a few words. */
function choicesOf({ placeholder = "" }: Option<unknown>): string[] {
  return placeholder.split("|").filter((word) => /^[a-z0-9]+$/.test(word));
}

/** Whether the value of an option is a path. */
function isPath({ placeholder = "" }: Option<unknown>): boolean {
  return placeholder === "FILE" || placeholder === "FOLDER";
}

function commandNames(): Command[] {
  return COMMAND_ROWS.map(([name]) => name).filter(isCommand);
}

function bashScript(): string {
  const withValue = OPTION_ROWS.filter((row) => row.placeholder !== undefined);
  const values = withValue.flatMap((row) => {
    const flags = flagsOf([row]).join("|");
    const choices = choicesOf(row);
    if (flags === "") return [];
    if (isPath(row)) return [`    ${flags}) COMPREPLY=($(compgen -f -- "$current")); return ;;`];
    const reply = choices.length === 0
      ? "COMPREPLY=()"
      : `COMPREPLY=($(compgen -W "${choices.join(" ")}" -- "$current"))`;
    return [`    ${flags}) ${reply}; return ;;`];
  });
  const words = secondWords();
  const seconds = [...words].filter(([, rest]) => rest.length > 0).map(([first, rest]) =>
    `      ${first}) COMPREPLY=($(compgen -W "${rest.join(" ")}" -- "$current")) ;;`
  );
  const flags = commandNames().map((name) =>
    `      "${name}") flags="${flagsOf(optionsOf(name)).join(" ")}" ;;`
  );
  return `# Completions of ${PROGRAM} for bash.
_komari_agent_deno() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local word words="" flags
  case "$previous" in
${values.join("\n")}
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in
      ${[...words.keys()].join("|")}) words="$word" ;;
      ${[...words.values()].flat().join("|")}) words="\${words:+$words }$word" ;;
    esac
  done
  if [[ "$current" == -* ]]; then
    case "\${words:-report}" in
${flags.join("\n")}
      *) flags="--help" ;;
    esac
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  else
    case "$words" in
      ""|help) COMPREPLY=($(compgen -W "${[...words.keys()].join(" ")}" -- "$current")) ;;
${seconds.join("\n")}
    esac
  fi
}
complete -F _komari_agent_deno ${PROGRAM}
`;
}

function zshScript(language: Language): string {
  const groups = [...secondWords()];
  const firsts = groups.map(([first]) => quoteShellWord(`${first}:${summary(first, language)}`));
  const seconds = groups.filter(([, rest]) => rest.length > 0).map(([first, rest]) => {
    const choices = rest.map((second) =>
      quoteShellWord(`${second}:${summary(`${first} ${second}`, language)}`)
    );
    return `    ${first}) choices=(${choices.join(" ")}) ;;`;
  });
  const specs = commandNames().map((name) => {
    const lines = optionsOf(name).flatMap((row) => zshSpecs(row, language));
    return `    "${name}") specs=(\n${lines.map((line) => `      ${line}`).join("\n")}\n    ) ;;`;
  });
  return `#compdef ${PROGRAM}
# Completions of ${PROGRAM} for zsh.
_komari_agent_deno() {
  local word command="" context state line
  local -a specs choices
  typeset -A opt_args
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$word" in
      ${groups.map(([first]) => first).join("|")}) command="$word" ;;
      ${groups.flatMap(([, rest]) => rest).join("|")}) command="\${command:+$command }$word" ;;
    esac
  done
  case "\${command:-report}" in
${specs.join("\n")}
    *) specs=() ;;
  esac
  case "$command" in
    ""|help) choices=(${firsts.join(" ")}) ;;
${seconds.join("\n")}
    *) choices=() ;;
  esac
  _arguments -s : $specs '*:command:->commands'
  if [[ "$state" == commands ]] && (( $#choices )); then _describe command choices; fi
}
_komari_agent_deno "$@"
`;
}

function summary(name: string, language: Language): string {
  return COMMAND_ROWS.find(([known]) => known === name)?.[1].help[language] ?? name;
}

function zshSpecs(row: Option<unknown>, language: Language): string[] {
  const help = row.help[language].replaceAll(/[[\]]/g, "\\$&").replaceAll(":", "\\:");
  const choices = choicesOf(row);
  const action = row.placeholder === undefined
    ? ""
    : isPath(row)
    ? `:${row.placeholder}:_files`
    : choices.length > 0
    ? `:value:(${choices.join(" ")})`
    : ":value: ";
  return flagsOf([row]).map((flag) => quoteShellWord(`${flag}[${help}]${action}`));
}

function fishScript(language: Language): string {
  const groups = [...secondWords()];
  const firsts = groups.map(([first]) => first).join(" ");
  const lines = groups.flatMap(([first, rest]) => [
    `complete -c ${PROGRAM} -n "not __fish_seen_subcommand_from ${firsts}" -f -a ${first} ` +
    `-d ${fishWord(summary(first, language))}`,
    ...rest.map((second) =>
      `complete -c ${PROGRAM} -n "__fish_seen_subcommand_from ${first}; and not ` +
      `__fish_seen_subcommand_from ${rest.join(" ")}" -f -a ${second} ` +
      `-d ${fishWord(summary(`${first} ${second}`, language))}`
    ),
  ]);
  const options = commandNames().flatMap((name) =>
    optionsOf(name).filter((row) => row.flag !== undefined).map((row) => {
      const [first = "", second] = name.split(" ");
      const condition = name === "report"
        ? `not __fish_seen_subcommand_from ${firsts}`
        : [first, ...(second === undefined ? [] : [second])]
          .map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
      return `complete -c ${PROGRAM} -n "${condition}" ${fishOption(row, language)}`;
    })
  );
  return [`# Completions of ${PROGRAM} for fish.`, ...lines, ...options].join("\n") + "\n";
}

function fishOption(row: Option<unknown>, language: Language): string {
  const choices = choicesOf(row);
  const value = row.placeholder === undefined
    ? ""
    : isPath(row)
    ? " -r -F"
    : choices.length > 0
    ? ` -x -a "${choices.join(" ")}"`
    : " -x";
  const short = row.short === undefined ? "" : ` -s ${row.short}`;
  return `-l ${row.flag}${short}${value} -d ${fishWord(row.help[language])}`;
}

function fishWord(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
