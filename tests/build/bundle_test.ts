import { assertEquals, assertRejects } from "@std/assert";
import { bundle, checkDisposals } from "../../build/bundle.ts";
import { TempFolder } from "../temp_folder.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

Deno.test("checkDisposals() throws when the minifier drops what closes a resource", async () => {
  using temp = new TempFolder();
  const folder = temp.path;
  for (const name of ["deno.json", "deno.lock", "std.d.ts"]) {
    await Deno.copyFile(`${ROOT}${name}`, `${folder}/${name}`);
  }
  await Deno.mkdir(`${folder}/lib`);
  await Deno.writeTextFile(
    `${folder}/lib/lost.ts`,
    `export function size(path: string): number {
  using file = Deno.openSync(path);
  return file.statSync().size;
}
`,
  );
  await Deno.writeTextFile(
    `${folder}/main.ts`,
    'import { size } from "./lib/lost.ts"; console.log(size("main.ts"));',
  );
  await assertRejects(() => checkDisposals(folder), Error, "dropped 1 of the `using` declarations");
});

Deno.test("checkDisposals() finds all of the program's own", () => checkDisposals(ROOT));

Deno.test("bundle() gives ASCII only: one other character doubles the program's text in memory", async () => {
  const info = { version: "1.2.3", commit: "", repository: "", releaseKey: "" };
  const found = (await bundle(ROOT, info)).match(/.{0,40}[^\0-\x7f].{0,20}/)?.[0];
  assertEquals(found, undefined, "the minifier escapes strings, but no regular expressions");
});
