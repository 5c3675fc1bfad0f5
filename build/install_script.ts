import { parsePublicKey } from "../lib/config/parsers.ts";
import type { ProgramInfo } from "./program_info.ts";

/** A repository's name on GitHub, or empty. */
const REPOSITORY = /^(?:[\w.-]+\/[\w.-]+)?$/;

/** The lines of the script that name the repository and the key of its releases. */
const REPOSITORY_LINE = /^REPOSITORY='[^']*'$/m;
const KEY_LINE = /^PUBLIC_KEY='[^']*'$/m;

/**
 * Writes `install.sh` beside the programs, stamped with the repository and the key of their
 * releases, and returns its path.
 *
 * @throws {Error} When the script lacks a line to stamp, or a value is invalid.
 */
export async function writeInstallScript(
  root: string,
  options: { info: Pick<ProgramInfo, "repository" | "releaseKey">; dist: string },
): Promise<string> {
  const text = await Deno.readTextFile(`${root}/install.sh`);
  const { repository, releaseKey } = options.info;
  if (!REPOSITORY.test(repository)) {
    throw new Error(`Cannot stamp install.sh: "${repository}" is no owner/name`);
  }
  if (releaseKey !== "") parsePublicKey(releaseKey);
  if (!REPOSITORY_LINE.test(text) || !KEY_LINE.test(text)) {
    throw new Error("Cannot stamp install.sh: it has no line REPOSITORY='…' or PUBLIC_KEY='…'");
  }
  const path = `${options.dist}/install.sh`;
  await Deno.writeTextFile(
    path,
    text.replace(REPOSITORY_LINE, `REPOSITORY='${repository}'`)
      .replace(KEY_LINE, `PUBLIC_KEY='${releaseKey}'`),
  );
  await Deno.chmod(path, 0o755);
  return path;
}
