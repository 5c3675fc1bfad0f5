import { PROGRAM } from "../lib/version.ts";
import { bundle } from "./bundle.ts";
import type { ProgramInfo } from "./program_info.ts";
import { NO_CODE_CACHE, PERMISSIONS, V8_FLAGS } from "./runtime_flags.ts";

/** The name of the portable build, here and among a release's files. */
export const PORTABLE_NAME = `${PROGRAM}-portable`;

/** Shell patterns for `deno --version` of 2.9, whose engine knows all the flags, and of newer ones. */
const TESTED = `"deno 2.9."*`;
const NEWER = `"deno 2."[1-9][0-9]*|"deno "[3-9]*|"deno "[1-9][0-9]*`;

const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");

/**
 * Makes a portable build of this checkout, and returns its path.
 *
 * @throws {Error} When Deno can't bundle the program.
 */
export async function buildPortable(
  options: Partial<ProgramInfo> & { version: string; folder?: string },
): Promise<string> {
  const { version, commit = "", repository = "", releaseKey = "" } = options;
  const folder = options.folder ?? await Deno.makeTempDir({ prefix: "komari-agent-deno-" });
  return await writePortable(
    await bundle(ROOT, { version, commit, repository, releaseKey }),
    folder,
  );
}

/** Writes the portable build of a bundle to an existing folder, and returns its path. */
export async function writePortable(script: string, folder: string): Promise<string> {
  const path = `${folder}/${PORTABLE_NAME}`;
  const sizeWith = (bytes: number) =>
    new TextEncoder().encode(`${portableHead(bytes)}${script}`).length;
  // Once more, since the number is part of what it counts.
  await Deno.writeTextFile(path, `${portableHead(sizeWith(sizeWith(0)))}${script}`);
  await Deno.chmod(path, 0o755);
  return path;
}

/**
 * The lines that make a script start itself.
 *
 * A shell reads commands in them, JavaScript strings and comments. One file runs wherever Deno is
 * installed, named by `$DENO` or found on the path; without Deno, or with one that is too old to
 * parse the script, it prints an error. A Deno refuses to start with a flag that its engine does not
 * know, so with a newer one the flags are tried first, and left out if it refuses them. `bytes` is the size
 * of the whole file: of one that was cut off a Deno says no more than that it can't parse it. Root's Deno
 * would write its cache below $HOME, where under `sudo` another user may have put links to any path.
 */
function portableHead(bytes: number): string {
  // Without the runtime's own warnings: a name server can cause any number, and the log does not limit them.
  const quiet = ["--quiet", "--no-config", "--no-lock", "--ext=js"];
  const flags = [...PERMISSIONS, NO_CODE_CACHE, ...quiet].join(" ");
  const commands = [
    `_size=$(wc -c <"$0" 2>/dev/null)`,
    `[ \${_size:-${bytes}} -lt ${bytes} ] && { echo "Cannot run komari-agent-deno: $0 is damaged: it has" $_size "of ${bytes} bytes" >&2; exit 1; }`,
    // Variables that may be another user's under `su`, and by which Deno runs or writes other files.
    `unset NODE_OPTIONS DENO_AUDIT_PERMISSIONS DENO_COVERAGE_DIR`,
    // Root's own home, whoever's $HOME it has; only root owns /.
    `_home=~root; case \${DENO_DIR:+given}$_home in /*) [ ! -O / ] || export DENO_DIR="$_home/.cache/deno";; esac`,
    `_deno=\${DENO:-deno}; _found=$("$_deno" --version 2>/dev/null)`,
    `_v8=${V8_FLAGS}`,
    // Without the working folder's configuration, which may be another user's and install packages.
    `case $_found in ${NEWER}) "$_deno" eval --no-config --no-lock $_v8 0 >/dev/null 2>&1 || _v8=;; esac`,
    `case $_found in ${TESTED}|${NEWER}) exec "$_deno" run ${flags} $_v8 "$0" "$@";; esac`,
    `_found=\${_found%% (*}; _at=$(command -v "$_deno" 2>/dev/null)`,
    `[ -z "$_found" ] || { _deno=$_at; _found="$_found; update it: deno upgrade"; }`,
    `_found=\${_found:-\${_at:+there as $_at, and does not run}}`,
    `_found=\${_found:-not there, or not for this user}`,
    `echo "Cannot run komari-agent-deno: this needs Deno 2.9 or newer, named by \\$DENO or on the path; $_deno is $_found" >&2; exit 1`,
  ];
  return ["#!/bin/sh", ...commands.map((command) => `":" //; ${command}`), ""].join("\n");
}
