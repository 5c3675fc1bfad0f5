/**
 * Builds what a release consists of into `dist/`: a program per target, the portable build, the
 * script that installs them, and checksums. Without options all of it, else what they name.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { bundle } from "./bundle.ts";
import { writeChecksums } from "./checksums.ts";
import { compileProgram } from "./compile_program.ts";
import { writeInstallScript } from "./install_script.ts";
import { writePortable } from "./portable.ts";
import { programInfo } from "./program_info.ts";
import { TARGETS } from "./targets.ts";

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
