import { assert, assertEquals, assertRejects } from "@std/assert";
import { FolderReader } from "../../lib/remote/folder_reader.ts";
import { restoring } from "../restoring.ts";
import { withFiles } from "./file_requests_fixture.ts";

/** What is read: kind and name of each, sorted. */
async function read(path: string, folders = new FolderReader()): Promise<string[]> {
  const all: Deno.DirEntry[] = [];
  await folders.read(path, (entries) => void all.push(...entries));
  const kind = (it: Deno.DirEntry) =>
    it.isFile ? "file" : it.isDirectory ? "folder" : it.isSymlink ? "link" : "other";
  return all.map((it) => `${kind(it)} ${it.name}`).sort();
}

withFiles.test("FolderReader.read() gives each entry with its kind, whatever bytes its name has", async (files) => {
  await files.sh(
    String.raw`: >é; : >"$(printf 'a\nb')"; : >"$(printf '\357\273\277bom')"; : >😀; : >...
    : >"$(printf '\004\377é')"; mkdir d; ln -s d l; mkfifo p; : >"$(printf '\357\277\275')"; : >' '`,
  );
  assertEquals(
    await read(files.folder),
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
  assertEquals(await read(`${files.folder}/d`), []);
  await assertRejects(() => read(`${files.folder}/none`), Error, "No such file");
  await assertRejects(() => read(`${files.folder}/é`), Error, "Not a directory");
});

withFiles.test("FolderReader.read() gives all of a large folder, of many at once", async (files) => {
  await files.sh("seq -f 'the file of the number %g' 10001 | xargs -d '\\n' touch; mkdir d");
  const named = Array.from({ length: 10_001 }, (_, at) => `file the file of the number ${at + 1}`);
  const folders = new FolderReader();
  const all = await Promise.all(Array.from({ length: 40 }, (_, at) => {
    return read(`${files.folder}/${at % 4 === 0 ? "" : "d"}`, folders);
  }));
  assertEquals(all.map(({ length }) => length), Array(10).fill([10_002, 0, 0, 0]).flat());
  assertEquals(all[0], [...named, "folder d"].sort());
});

withFiles.test("FolderReader.read() leaves it to the runtime to look at entries whose kinds are not kept", async (files) => {
  await files.sh(": >a; mkdir d; ln -s a l");
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
  assertEquals(await read(files.folder), ["file a", "folder d", "link l"]);
});
