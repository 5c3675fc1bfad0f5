import { type Option, OPTION_GROUPS } from "./option.ts";
import { OPTIONS } from "./option_table.ts";

const INTRODUCTION = `Reports this machine to a Komari panel.

Usage:
  komari-agent-deno -e URL -t TOKEN [options]   report to a panel
  komari-agent-deno --dry-run [--json]          show what would be sent
  komari-agent-deno demo [options]              try it without any panel
  komari-agent-deno traffic show [--json]       show the month's traffic
  komari-agent-deno traffic set --up N --down N say what it is
  komari-agent-deno install [options] [--print] run it as a service, with these options
  komari-agent-deno uninstall [--print]         take the service away, with all that it has made
  komari-agent-deno health [--json]             say whether the panel accepts its reports
  komari-agent-deno update [--check|--now]      look for a newer version, or take it
  komari-agent-deno version [--json]            show the version

Example, for a panel behind Cloudflare Access (no other user can see what variables hold):
  AGENT_CF_ACCESS_CLIENT_ID=ID.access AGENT_CF_ACCESS_CLIENT_SECRET=SECRET \\
    komari-agent-deno -e https://panel.example.com --token-file FILE

Every option can also be set by its environment variable, shown as $AGENT_…, or by its key in a
JSON file (--config FILE). The key is the variable's name without AGENT_, in small letters:
$AGENT_ENABLE_GPU is enable_gpu. A flag wins over the environment, and the environment over the
file. The way to the panel obeys HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY too.`;

const COLUMN = 40;
const WIDTH = 100;

/** The text of `--help`, made from the option table. */
export function helpText(): string {
  const rows: readonly Option<unknown>[] = Object.values(OPTIONS);
  const sections = OPTION_GROUPS.map((group) => {
    const entries = rows.filter((row) => row.group === group).map(entry);
    return `${group}:\n${entries.join("\n")}`;
  });
  return [INTRODUCTION, ...sections].join("\n\n") + "\n";
}

/** How an option is written on the command line, or in the environment where it has no flag. */
export function usage(option: Option<unknown>): string {
  if (option.flag === undefined) return `$${option.variable}`;
  const short = option.short === undefined ? "" : `-${option.short}, `;
  const value = option.placeholder === undefined ? "" : ` ${option.placeholder}`;
  return `${short}--${option.flag}${value}`;
}

/** What an option's default is called, or `undefined` for a switch that is off. */
export function initialText(option: Option<unknown>): string | undefined {
  if (option.initialText !== undefined) return option.initialText;
  const { initial } = option;
  return typeof initial === "number" || (typeof initial === "string" && initial !== "")
    ? String(initial)
    : undefined;
}

function entry(option: Option<unknown>): string {
  const left = `  ${usage(option)}`;
  const initial = initialText(option);
  const notes = [
    initial === undefined ? "" : `default: ${initial}`,
    option.flag === undefined || option.variable === undefined ? "" : `$${option.variable}`,
  ].filter((note) => note !== "");
  const words = option.noEffect === undefined ? option.help : `${option.help}: ${option.noEffect}`;
  const text = words + (notes.length === 0 ? "" : ` (${notes.join("; ")})`);
  const [first = "", ...rest] = wrap(text, WIDTH - COLUMN);
  const head = left.length < COLUMN - 1
    ? left.padEnd(COLUMN) + first
    : `${left}\n${" ".repeat(COLUMN)}${first}`;
  return [head, ...rest.map((line) => " ".repeat(COLUMN) + line)].join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
