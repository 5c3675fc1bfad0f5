import type { ProgramInfo } from "./program_info.ts";

/** A repository's name on GitHub, or empty. */
const REPOSITORY = /^(?:[\w.-]+\/[\w.-]+)?$/;

/** The line of the script that names the repository. */
const REPOSITORY_LINE = /^REPOSITORY='[^']*'$/m;

/**
 * Writes `install.sh` beside the programs, stamped with their repository, and returns its path.
 *
 * @throws {Error} When the script has no line to stamp, or the repository's name is invalid.
 */
export async function writeInstallScript(
  root: string,
  options: { info: ProgramInfo; dist: string },
): Promise<string> {
  const text = await Deno.readTextFile(`${root}/install.sh`);
  const { repository } = options.info;
  if (!REPOSITORY.test(repository)) {
    throw new Error(`Cannot stamp install.sh: "${repository}" is no owner/name`);
  }
  if (!REPOSITORY_LINE.test(text)) {
    throw new Error("Cannot stamp install.sh: it has no line REPOSITORY='…'");
  }
  const path = `${options.dist}/install.sh`;
  await Deno.writeTextFile(path, text.replace(REPOSITORY_LINE, `REPOSITORY='${repository}'`));
  await Deno.chmod(path, 0o755);
  return path;
}
