import { brotliCompressSync } from "node:zlib";
import { linkChunks } from "./link_chunks.ts";
import type { ProgramInfo } from "./program_info.ts";
import { run } from "./run.ts";

/** The files that the program is built from, besides `lib/`. */
const SOURCES = ["main.ts", "deno.json", "deno.lock", "std.d.ts", "LICENSE"];

/** The commands that run for a moment, and what stands for them in the agent's own script. */
const OTHER_COMMANDS = "lib/cli/other_commands.ts";
const NO_COMMANDS = "export const OTHER_COMMANDS = {};\n";

/**
 * Bundles the program into one script and returns its text.
 *
 * The agent is a script of its own, in which all other commands are one packed text: each byte of a script
 * takes two in memory, and each function of it some more.
 *
 * @throws {Error} When Deno can't bundle it.
 */
export async function bundle(folder: string, info: ProgramInfo): Promise<string> {
  return await withCopy(folder, async (copy) => {
    await Deno.writeTextFile(`${copy}/lib/build.json`, JSON.stringify(info));
    const chinese = `${copy}/lib/cli/chinese.json`;
    const texts = JSON.stringify(JSON.parse(await Deno.readTextFile(chinese)));
    await Deno.writeTextFile(chinese, packedText(texts));
    const commands = await bundleModule(copy, OTHER_COMMANDS);
    const packed = `export const packedCommands = () => ${packedText(commands)};\n`;
    await Deno.writeTextFile(`${copy}/lib/cli/packed_commands.ts`, packed);
    await Deno.writeTextFile(`${copy}/${OTHER_COMMANDS}`, NO_COMMANDS);
    const options = `${copy}/lib/config/option_table.ts`;
    await Deno.writeTextFile(options, withoutHelp(await Deno.readTextFile(options)));
    return await bundleProgram(copy);
  });
}

/**
 * Checks that the minifier keeps what closes resources.
 *
 * @throws {Error} When it drops a `using` declaration.
 */
export async function checkDisposals(folder: string): Promise<void> {
  const kept = await withCopy(
    folder,
    async (copy) => keptDisposals(await bundleModule(copy, "main.ts")),
  );
  const written = await writtenDisposalsIn(`${folder}/lib`);
  if (kept < written) throw new Error(`Cannot bundle: ${lostDisposals(written - kept)}`);
}

/** Works on a copy, so that the checkout is unchanged and builds can run in parallel. */
async function withCopy<T>(folder: string, work: (copy: string) => Promise<T>): Promise<T> {
  const copy = await Deno.makeTempDir({ prefix: "komari-agent-deno-build-" });
  try {
    for (const name of SOURCES) await Deno.copyFile(`${folder}/${name}`, `${copy}/${name}`);
    await copyFolder(`${folder}/lib`, `${copy}/lib`);
    return await work(copy);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

/** For browsers, so that libraries of Node.js are left out. */
const BUNDLE = ["bundle", "--quiet", "--frozen", "--minify", "--platform", "browser"];

/** The minified text of a module and of all that it imports; for browsers, without Node.js's libraries. */
async function bundleModule(folder: string, module: string): Promise<string> {
  const output = `${folder}/bundled.js`;
  await run(Deno.execPath(), [...BUNDLE, "--output", output, module], { folder });
  return await Deno.readTextFile(output);
}

/** The text of `main.ts` and of all that it imports, now or later. */
async function bundleProgram(folder: string): Promise<string> {
  const chunks = `${folder}/chunks`;
  await run(Deno.execPath(), [...BUNDLE, "--code-splitting", "--outdir", chunks, "main.ts"], {
    folder,
  });
  return linkChunks((name) => Deno.readTextFileSync(`${chunks}/${name}`), "main.js");
}

/** The option table without the second text of each row, its help, which an agent never prints. */
function withoutHelp(table: string): string {
  return table.replace(
    /(: \w+\.(?!ignored)\w+(?:<[^(]*>)?\(\s*"(?:[^"\\]|\\.)*",\s*)"(?:[^"\\]|\\.)*"/g,
    '$1""',
  );
}

/** A text as one packed string, which `lib/io/packed_text.ts` reads. */
function packedText(text: string): string {
  return JSON.stringify(brotliCompressSync(text).toString("base64"));
}

/** Number of `using` declarations in source code; those that follow one another are one. */
function writtenDisposals(code: string): number {
  return code.match(/^\s*(?:await )?using \w+ = [^;]*;\n(?!\s*(?:await )?using )/gm)?.length ?? 0;
}

/** Number of `using` declarations in a bundle, where each may declare several resources. */
function keptDisposals(code: string): number {
  return code.match(/[;{}](?:await )?using [\w$]+=/g)?.length ?? 0;
}

async function writtenDisposalsIn(folder: string): Promise<number> {
  let count = 0;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) count += await writtenDisposalsIn(path);
    else if (name.endsWith(".ts")) count += writtenDisposals(await Deno.readTextFile(path));
  }
  return count;
}

/** The minifier inlines a resource that is used once, and never closes it (evanw/esbuild#4482). */
function lostDisposals(count: number): string {
  return `the minifier dropped ${count} of the \`using\` declarations; where the resource is used ` +
    "only once, declare it by `const` and add `using _ = resource`";
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
