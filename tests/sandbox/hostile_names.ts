/**
 * Names as an attacker would write them, and a shell that must refuse them.
 *
 * @module
 */

import script from "../../lib/sandbox/helper_shell.sh" with { type: "text" };
import { writeExecutable } from "../executable.ts";
import { TempFolder } from "../temp_folder.ts";
import { exists } from "../exists.ts";

/** The shells that `/bin/sh` is on common systems, as far as they are here. */
export const SHELLS: readonly (readonly [string, ...string[]])[] = ([
  ["/usr/bin/dash"],
  ["/usr/bin/bash", "--posix"],
  ["/usr/bin/busybox", "ash"],
] as const).filter(([command]) => exists(command));

const PIECES = [
  ...["$(touch x)", "`touch x`", ";touch x", "|touch x", "&touch x&", ">x", "<x", "\\touch x"],
  ...["${IFS}", "$'\\n'", "\\", "'", '"', "*", "?", "[a-z]", "{a,b}", "~", "!", "#", "%s", "%n"],
  ...["\t", "\r", "\v", "\x01", "\x1b[2J", "\x7f", "\u00e9", "\u0430", "\u200b", "\u{1f600}"],
  ...["../", "/etc/passwd", "/", "@", ":", "=", ",", "+", "^", "$x", "$1", "$#", "$$", "$!"],
  ...[" x", " 127.0.0.1", " -s files x"],
] as const;
const HARMLESS = [
  "",
  "a",
  "panel.example",
  "-",
  "--",
  "_",
  ".",
  "xn--",
  "0x7f.1",
  "127.0.0.1",
] as const;

/**
 * Names that are no names, the same at each call; none has a line feed. A tenth each are options and
 * too long, the others have something in them that is in no name.
 */
export function hostileNames(count: number): string[] {
  let seed = 20261127;
  const below = (limit: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * limit);
  };
  const harmless = () => HARMLESS[below(HARMLESS.length)] ?? "";
  return Array.from({ length: count }, (_, index) => {
    if (index % 10 === 0) return `-${harmless()}${harmless()}`;
    if (index % 10 === 1) return "a".repeat(254 + below(20));
    // Blanks in front would be cut off.
    return `a${harmless()}${harmless()}${PIECES[below(PIECES.length)]}${harmless()}`;
  });
}

/**
 * Sends names to the helper shell's script, in place of an agent that checks them; returns the first
 * that it has not refused, or `undefined`.
 *
 * @throws {Error} When a program was started, or anything was written to its folder.
 */
export async function takenName(
  shell: readonly [string, ...string[]],
  names: readonly string[],
): Promise<string | undefined> {
  using folder = new TempFolder();
  Deno.mkdirSync(`${folder.path}/bin`);
  Deno.mkdirSync(`${folder.path}/home`);
  for (const name of ["getent", "ping", "touch"]) {
    writeExecutable(`${folder.path}/bin/${name}`, `#!/bin/sh\n: >"${folder.path}/home/$$"\n`);
  }
  const child = new Deno.Command(shell[0], {
    args: [...shell.slice(1), "-c", script, "sh", "/proc"],
    clearEnv: true,
    env: { LC_ALL: "C", PATH: `${folder.path}/bin` },
    cwd: `${folder.path}/home`,
    detached: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const lines = names.map((name, index) =>
    `${index + 1} ${index % 2 === 0 ? "resolve" : "hosts"} ${name}\n`
  );
  const writing = new Blob(lines).stream().pipeTo(child.stdin);
  const answers = (await new Response(child.stdout).text()).split("\n");
  await writing;
  await child.status;
  const traces = [...Deno.readDirSync(`${folder.path}/home`)].length;
  if (traces > 0) throw new Error(`The shell has left ${traces} files`);
  return names.find((_, index) => answers[index] !== `${index + 1} refused`);
}
