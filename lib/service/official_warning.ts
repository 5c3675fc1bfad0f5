import { attempt } from "../attempt.ts";
import { describeError } from "../log/log.ts";
import type { TargetSystem } from "./target_system.ts";

/** Where official agents from 1.5.10 on put their warning of remote control. */
const MOTD = "/etc/motd";

/** Where earlier ones had it, in a file of its own with this mark. */
const MOTD_SCRIPT = "/etc/update-motd.d/99-komari-agent-warning";
const SCRIPT_MARK = "# Komari Agent managed MOTD warning";

/** A block: from its first line to the one that names the page about uninstalling. */
const BLOCK =
  /^\[Komari\] Remote control is enabled[^\n]*\n(?:[^\n]*\n){0,12}?Uninstall Komari Agent: [^\n]*(?:\n|$)/gm;

/** Larger than any message of the day. */
const MAX_BYTES = 256 * 1024;

/** A message of the day without an official agent's warnings; all else stays as it is. */
export function withoutOfficialWarning(text: string): string {
  return text.replace(BLOCK, "");
}

/** A file with an official agent's warning. */
interface OfficialWarning {
  readonly path: string;
  /** The text without the warning; `undefined` when the whole file is the warning's. */
  readonly rest: string | undefined;
}

/** Finds the files with an official agent's warning; links are left alone. */
function officialWarnings({ root }: TargetSystem): OfficialWarning[] {
  const found: OfficialWarning[] = [];
  const text = readSmallFile(root + MOTD) ?? "";
  const rest = withoutOfficialWarning(text);
  if (rest !== text) found.push({ path: MOTD, rest });
  const script = readSmallFile(root + MOTD_SCRIPT);
  if (script?.includes(SCRIPT_MARK)) found.push({ path: MOTD_SCRIPT, rest: undefined });
  return found;
}

/** Prints which warnings {@linkcode removeOfficialWarnings} would remove. */
export function printOfficialWarnings(system: TargetSystem): void {
  for (const { path, rest } of officialWarnings(system)) {
    const what = rest === undefined ? path : `the official agent's warning from ${path}`;
    system.printLine(`Remove ${what}`);
  }
}

/**
 * Removes the warnings of remote control that official agents leave behind unless they are ended in
 * good order. A failure is printed.
 */
export function removeOfficialWarnings(system: TargetSystem): void {
  const { root, printLine } = system;
  for (const { path, rest } of officialWarnings(system)) {
    try {
      if (rest === undefined) Deno.removeSync(root + path);
      else Deno.writeTextFileSync(root + path, rest, { create: false });
      printLine(`Removed the official agent's warning from ${path}.`);
    } catch (error) {
      printLine(`Cannot remove the official agent's warning from ${path}: ${describeError(error)}`);
    }
  }
}

function readSmallFile(path: string): string | undefined {
  return attempt(() => {
    const { isFile, size } = Deno.lstatSync(path);
    return isFile && size <= MAX_BYTES ? Deno.readTextFileSync(path) : undefined;
  });
}
