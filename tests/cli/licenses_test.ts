import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { BUNDLED_PACKAGES, MIT_TERMS, runLicenses } from "../../lib/cli/licenses.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import manifest from "../../deno.json" with { type: "json" };
import { denoOutput } from "../deno_output.ts";

const imports: Readonly<Record<string, string>> = manifest.imports;

Deno.test("BUNDLED_PACKAGES names every package that lib/ loads, and the runtime", () => {
  const loaded = new Set(["deno"]);
  for (const text of sources(new URL("../../lib/", import.meta.url))) {
    const statics = text.matchAll(/^(?:import|export) (?!type\b)[^;]*? from "([@a-z][^"]*)"/gm);
    const dynamics = text.matchAll(/\bawait import\("([@a-z][^"]*)"\)/g);
    for (const [, name = ""] of [...statics, ...dynamics]) {
      if (name.startsWith("node:")) continue;
      const [, npm = ""] = /^npm:((?:@[^/]+\/)?[^@/]+)@/.exec(imports[name] ?? "") ?? [];
      assert(npm !== "", `${name} is no import of deno.json`);
      loaded.add(npm);
    }
  }
  assertEquals(BUNDLED_PACKAGES.map(({ name }) => name).toSorted(), [...loaded].sort());
  for (const { name, version } of BUNDLED_PACKAGES) assert(/^\d+\.\d+\.\d+$/.test(version), name);
});

const cached = await Promise.all(
  BUNDLED_PACKAGES.map(async (it) => [it, await licenseFile(it.name, it.version)] as const),
);
for (const [{ name, copyright }, text] of cached) {
  if (text === undefined) continue;
  Deno.test(`the copyright and the terms of ${name} are those of its package`, () => {
    for (const line of copyright.split("\n")) assertStringIncludes(text, line);
    assertStringIncludes(folded(text), folded(MIT_TERMS));
  });
}

Deno.test("runLicenses() prints every package, its copyright and the terms", async () => {
  const context = new FakeContext();
  assertEquals(await runLicenses(configOf(["licenses"]), context), 0);
  const { printed } = context;
  for (const { name, version, copyright } of BUNDLED_PACKAGES) {
    assertStringIncludes(printed, `${name} ${version}, https://github.com/`);
    assertStringIncludes(printed, copyright);
  }
  assertStringIncludes(printed, MIT_TERMS);
});

function* sources(folder: URL): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const url = new URL(isDirectory ? `${name}/` : name, folder);
    if (isDirectory) yield* sources(url);
    else if (name.endsWith(".ts")) yield Deno.readTextFileSync(url);
  }
}

/** The license of a package in the runtime's cache; `undefined` where the package has none. */
async function licenseFile(name: string, version: string): Promise<string | undefined> {
  const { npmCache }: { npmCache: string } = JSON.parse(await denoOutput("info --json", []));
  for (const { name: registry } of Deno.readDirSync(npmCache)) {
    try {
      return Deno.readTextFileSync(`${npmCache}/${registry}/${name}/${version}/LICENSE`);
    } catch {
      // Another registry's, or a package without one.
    }
  }
  return undefined;
}

function folded(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
