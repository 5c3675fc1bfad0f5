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
    const args = ["bundle", "--quiet", "--frozen", "--minify", "--platform", "browser"];
    await run(Deno.execPath(), [...args, "--output", "program.js", "main.ts"], { folder: copy });
    return await Deno.readTextFile(`${copy}/program.js`);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
