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

/**
 * Removes the warnings of remote control that official agents leave behind unless they are ended in
 * good order. Links are left alone; a failure is printed.
 */
export function removeOfficialWarnings({ root, printLine }: TargetSystem): void {
  for (const path of [MOTD, MOTD_SCRIPT]) {
    const text = readSmallFile(root + path);
    if (text === undefined) continue;
    try {
      if (path === MOTD_SCRIPT) {
        if (!text.includes(SCRIPT_MARK)) continue;
        Deno.removeSync(root + path);
      } else {
        const rest = withoutOfficialWarning(text);
        if (rest === text) continue;
        Deno.writeTextFileSync(root + path, rest, { create: false });
      }
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
