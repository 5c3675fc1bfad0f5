import { assertEquals, assertRejects } from "@std/assert";
import { bundle, checkDisposals } from "../../build/bundle.ts";
import { unpack } from "../../lib/io/packed_text.ts";
import { TempFolder } from "../temp_folder.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

Deno.test("checkDisposals() throws when the minifier drops what closes a resource", async () => {
  using temp = new TempFolder();
  const folder = temp.path;
  for (const name of ["deno.json", "deno.lock", "std.d.ts", "LICENSE"]) {
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

Deno.test("bundle() packs the commands that run for a moment, and gives ASCII only", async () => {
  const info = { version: "1.2.3", commit: "", repository: "", releaseKey: "" };
  const script = await bundle(ROOT, info);
  const [, packed = ""] = /"([A-Za-z0-9+/]{100000,}=*)"/.exec(script) ?? [];
  const commands = await unpack(packed);
  const isIn = (text: string) => [script, commands].map((it) => it.includes(text));
  const [ofDoctor, ofHelp, ofNotices] = [
    "Name resolution",
    "Time between two reports",
    "retries without",
  ];
  assertEquals([ofDoctor, ofHelp, ofNotices].map(isIn), [[false, true], [false, true], [
    true,
    true,
  ]]);
  const found = script.match(/.{0,40}[^\0-\x7f].{0,20}/)?.[0];
  assertEquals(found, undefined, "one other character doubles the program's text in memory");
});
