import { assert, assertEquals, assertRejects } from "@std/assert";
import { FolderReader } from "../../lib/remote/folder_reader.ts";
import { restoring } from "../restoring.ts";
import { inFolder } from "../temp_folder.ts";

/** Makes files in a folder by a shell, whose names need be no UTF-8. */
async function make(folder: string, script: string): Promise<void> {
  const { success } = await new Deno.Command("sh", { args: ["-ec", script], cwd: folder }).output();
  assertEquals(success, true, script);
}

/** What is read: kind and name of each, sorted. */
async function read(path: string, folders = new FolderReader()): Promise<string[]> {
  const all: Deno.DirEntry[] = [];
  await folders.read(path, (entries) => void all.push(...entries));
  const kind = (it: Deno.DirEntry) =>
    it.isFile ? "file" : it.isDirectory ? "folder" : it.isSymlink ? "link" : "other";
  return all.map((it) => `${kind(it)} ${it.name}`).sort();
}

inFolder.test("FolderReader.read() gives each entry with its kind, whatever bytes its name has", async ({ path }) => {
  await make(
    path,
    String.raw`: >é; : >"$(printf 'a\nb')"; : >"$(printf '\357\273\277bom')"; : >😀; : >...
    : >"$(printf '\004\377é')"; mkdir d; ln -s d l; mkfifo p; : >"$(printf '\357\277\275')"; : >' '`,
  );
  assertEquals(
    await read(path),
    [
      "file  ",
      // Of one that is not UTF-8, a letter beyond ASCII is its bytes.
      "file \x04\udcff\udcc3\udca9",
      "file ...",
      "file a\nb",
      "file é",
      "file 😀",
      "file \ufeffbom",
      "file \ufffd",
      "folder d",
      "link l",
      "other p",
    ].sort(),
  );
  assertEquals(await read(`${path}/d`), []);
  await assertRejects(() => read(`${path}/none`), Error, "No such file");
  await assertRejects(() => read(`${path}/é`), Error, "Not a directory");
});

inFolder.test("FolderReader.read() gives all of a large folder, of many at once", async ({ path }) => {
  await make(path, "seq -f 'the file of the number %g' 10001 | xargs -d '\\n' touch; mkdir d");
  const expected = Array.from(
    { length: 10_001 },
    (_, at) => `file the file of the number ${at + 1}`,
  )
    .concat("folder d").sort();
  const folders = new FolderReader();
  const all = await Promise.all(Array.from({ length: 40 }, (_, at) => {
    return read(at % 4 === 0 ? path : `${path}/d`, folders);
  }));
  assertEquals(
    all.map((names, at) => names.length === (at % 4 === 0 ? 10_002 : 0)).indexOf(false),
    -1,
  );
  assertEquals(all[0], expected);
});

inFolder.test("FolderReader.look() sees what has a name that is not UTF-8, and follows no link", async ({ path }) => {
  await make(path, "printf xyz >\"$(printf '\\377')\"; ln -s d \"$(printf 'l\\377')\"");
  const folders = new FolderReader();
  const { isFile, size } = await folders.look(`${path}/\udcff`);
  assertEquals([isFile, size], [true, 3]);
  assertEquals((await folders.look(`${path}/l\udcff`)).isSymlink, true);
  await assertRejects(() => folders.look(`${path}/\udcfe`), Deno.errors.NotFound);
});

inFolder.test("FolderReader.read() leaves it to the runtime to look at entries whose kinds are not kept", async ({ path }) => {
  await make(path, ": >a; mkdir d; ln -s a l");
  const { dlopen } = Deno;
  using _ = restoring(Deno, "dlopen");
  Reflect.set(Deno, "dlopen", (name: string, interfaces: Deno.ForeignLibraryInterface) => {
    const { symbols } = dlopen(name, interfaces);
    const create: unknown = symbols["argz_create"];
    assert(typeof create === "function");
    // The byte before the kind of an entry is 0, as a kind that is not kept.
    const argz_create = (starts: BigUint64Array, ...out: unknown[]) =>
      create(starts.map((start) => start && start - 1n), ...out);
    return { symbols: { ...symbols, argz_create } };
  });
  assertEquals(await read(path), ["file a", "folder d", "link l"]);
});
