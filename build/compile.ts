/**
 * Builds what a release consists of into `dist/`: a program per target, the portable build, the
 * script that installs them, and checksums. Without options all of it, else what they name.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { bundle } from "./bundle.ts";
import { compileProgram, TARGETS } from "./compile_program.ts";
import { writeInstallScript } from "./install_script.ts";
import { writePortable } from "./portable.ts";
import { programInfo } from "./program_info.ts";

if (import.meta.main) {
  try {
    await compile(Deno.args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}

async function compile(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      portable: { type: "boolean" },
      target: { type: "string", multiple: true },
      version: { type: "string" },
    },
  });
  const all = !values.portable && values.target === undefined;
  const targets = values.target ?? (all ? Object.keys(TARGETS) : []);
  const root = Deno.cwd();
  const info = await programInfo(root, { env: Deno.env.toObject(), version: values.version });
  const dist = `${root}/dist`;
  await Deno.mkdir(dist, { recursive: true });
  const script = await bundle(root, info);
  const built: string[] = [];
  try {
    built.push(await writeInstallScript(root, { info, dist }));
    if (all || values.portable) built.push(await writePortable(script, dist));
    for (const target of targets) built.push(await compileProgram(script, { target, dist }));
  } finally {
    await writeChecksums(dist, built);
    for (const path of built) console.log(path);
  }
}

/** Writes `SHA256SUMS` beside files, in the form of `sha256sum`. */
async function writeChecksums(folder: string, paths: readonly string[]): Promise<void> {
  const lines: string[] = [];
  for (const path of paths) {
    const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
    lines.push(`${new Uint8Array(digest).toHex()}  ${path.slice(path.lastIndexOf("/") + 1)}\n`);
  }
  await Deno.writeTextFile(`${folder}/SHA256SUMS`, lines.join(""));
}
