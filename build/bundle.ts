import type { ProgramInfo } from "./program_info.ts";
import { run } from "./run.ts";

/** The files that the program is built from, besides `lib/`. */
const SOURCES = ["main.ts", "deno.json", "deno.lock", "std.d.ts"];

/**
 * Bundles the program into one script and returns its text.
 *
 * Works on a copy, so that the checkout is unchanged and builds can run in parallel.
 *
 * @throws {Error} When Deno can't bundle it.
 */
export async function bundle(folder: string, info: ProgramInfo): Promise<string> {
  const copy = await Deno.makeTempDir({ prefix: "komari-agent-deno-build-" });
  try {
    for (const name of SOURCES) await Deno.copyFile(`${folder}/${name}`, `${copy}/${name}`);
    await copyFolder(`${folder}/lib`, `${copy}/lib`);
    await Deno.writeTextFile(`${copy}/lib/build.json`, JSON.stringify(info));
    await compressTexts(`${copy}/lib/cli/chinese.json`);
    const args = ["bundle", "--quiet", "--frozen", "--minify"];
    await writeWebSocketLibrary(copy, args);
    const output = ["--platform", "browser", "--output", "program.js", "main.ts"];
    await run(Deno.execPath(), [...args, ...output], { folder: copy });
    const program = await Deno.readTextFile(`${copy}/program.js`);
    const kept = keptDisposals(program);
    const written = await writtenDisposalsIn(`${copy}/lib`);
    if (kept < written) throw new Error(`Cannot bundle: ${lostDisposals(written - kept)}`);
    return program;
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

/** Makes one string of a file of texts, which takes a tenth in the script; `cli/translate.ts` reads it. */
async function compressTexts(path: string): Promise<void> {
  const texts = new Blob([JSON.stringify(JSON.parse(await Deno.readTextFile(path)))]).stream();
  const compressed = await new Response(texts.pipeThrough(new CompressionStream("gzip"))).bytes();
  await Deno.writeTextFile(path, JSON.stringify(compressed.toBase64()));
}

/**
 * Puts the demo's WebSocket library into a text of the program, bundled for the runtime: the program is
 * bundled for browsers, where it is a stub, and would be downloaded when the demo starts.
 */
async function writeWebSocketLibrary(folder: string, args: readonly string[]): Promise<void> {
  const entry = `${folder}/websocket_library.ts`;
  await Deno.writeTextFile(entry, 'export { WebSocket, WebSocketServer } from "ws";\n');
  const output = `${folder}/websocket_library.js`;
  await run(Deno.execPath(), [...args, "--output", output, entry], { folder });
  const bundled = await Deno.readTextFile(output);
  // It requires modules of the runtime alone, and has no address of its own.
  const code = bundled.replace("import.meta.url", '"file:///"');
  if (code.includes("import.meta")) throw new Error("Cannot bundle ws: it looks for its own files");
  await Deno.writeTextFile(`${folder}/lib/demo/websocket_library.json`, JSON.stringify({ code }));
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
