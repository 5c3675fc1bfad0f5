/**
 * Builds what a release consists of into `dist/`: a program per target, the portable build, the
 * script that installs them, a bill of materials, and checksums. Without options all of it, else what they name.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { BILL_OF_MATERIALS_NAME, billOfMaterials } from "./bill_of_materials.ts";
import { bundle, checkDisposals } from "./bundle.ts";
import { compileProgram, TARGETS } from "./compile_program.ts";
import { writeInstallScript } from "./install_script.ts";
import { basename } from "../lib/parse/path.ts";
import { writePortable } from "./portable.ts";
import { type ProgramInfo, programInfo } from "./program_info.ts";

/** Names of what this makes, in `dist/`. */
const BUILT = /^(komari-agent-deno[-_.].*|install\.sh|SHA256SUMS.*|\.unfinished-.*)$/;

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
  const dist = `${root}/dist`;
  await Deno.mkdir(dist, { recursive: true });
  await removeBuilt(dist);
  const info = await programInfo(root, { env: Deno.env.toObject(), version: values.version });
  // Beside the result, so that it can be moved there at once, and whole.
  const unfinished = await Deno.makeTempDir({ dir: dist, prefix: ".unfinished-" });
  try {
    await checkDisposals(root);
    const script = await bundle(root, info);
    const built = [await writeInstallScript(root, { info, dist: unfinished })];
    if (all || values.portable) built.push(await writePortable(script, unfinished));
    for (const target of targets) {
      built.push(await compileProgram(script, { target, dist: unfinished }));
    }
    built.push(await writeBillOfMaterials(root, { info, dist: unfinished }));
    built.push(await writeChecksums(unfinished, { paths: built, version: info.version }));
    for (const path of built) {
      const finished = `${dist}/${basename(path)}`;
      await Deno.rename(path, finished);
      console.log(finished);
    }
  } finally {
    await Deno.remove(unfinished, { recursive: true });
  }
}

/** Removes what earlier builds have left, so that a build which fails leaves nothing behind. */
async function removeBuilt(dist: string): Promise<void> {
  for await (const { name } of Deno.readDir(dist)) {
    if (BUILT.test(name)) await Deno.remove(`${dist}/${name}`, { recursive: true });
  }
}

async function writeBillOfMaterials(
  root: string,
  { info, dist }: { info: ProgramInfo; dist: string },
): Promise<string> {
  const path = `${dist}/${BILL_OF_MATERIALS_NAME}`;
  const lock = await Deno.readTextFile(`${root}/deno.lock`);
  await Deno.writeTextFile(path, billOfMaterials(info, lock));
  return path;
}

/**
 * Writes `SHA256SUMS` beside files, in the form of `sha256sum`, and returns its path.
 *
 * The version and the files' sizes are signed with it. Their lines have no blank: `sha256sum` ignores
 * one that begins with `#`, and the step that attests the builds one without a blank.
 */
export async function writeChecksums(
  folder: string,
  { paths, version }: { paths: readonly string[]; version: string },
): Promise<string> {
  const lines = [`#version=${version}\n`];
  for (const path of paths) lines.push(...await checksumLines(path));
  await Deno.writeTextFile(`${folder}/SHA256SUMS`, lines.join(""));
  return `${folder}/SHA256SUMS`;
}

/** A file's lines of `SHA256SUMS`: its size, which bounds a download of it, and its checksum. */
export async function checksumLines(path: string): Promise<string[]> {
  const bytes = await Deno.readFile(path);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const name = basename(path);
  return [`#size=${bytes.length}:${name}\n`, `${digest.toHex()}  ${name}\n`];
}
