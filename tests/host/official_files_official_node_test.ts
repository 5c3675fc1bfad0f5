import { assertEquals, assertStringIncludes } from "@std/assert";
import { readOfficialNode, readOfficialTraffic } from "../../lib/host/official_files.ts";
import { thisProgram } from "../../lib/host/this_program.ts";
import { collectedLog } from "../log/collected_log.ts";
import { replaced } from "../replaced.ts";
import { inFolder } from "../temp_folder.ts";

inFolder.test("readOfficialNode() takes the file of the first folder that has one", (folder) => {
  const [first, second, odd] = [`${folder.path}/1`, `${folder.path}/2`, `${folder.path}/odd`];
  for (const path of [first, second, `${odd}/auto-discovery.json`]) {
    Deno.mkdirSync(path, { recursive: true });
  }
  assertEquals(readOfficialNode({ folders: [first, odd] }), undefined);
  Deno.writeTextFileSync(`${second}/auto-discovery.json`, "{}");
  const expected = { path: `${second}/auto-discovery.json`, text: "{}" };
  assertEquals(readOfficialNode({ folders: [first, odd, second] }), expected);
  Deno.writeTextFileSync(`${first}/auto-discovery.json`, "x".repeat(100_000));
  assertEquals(
    readOfficialNode({ folders: [first, second] }),
    expected,
    "what is that long is no such file",
  );
});

inFolder.test("readOfficialNode() takes the file that is named alone", (folder) => {
  const path = `${folder.path}/node.json`;
  Deno.writeTextFileSync(`${folder.path}/auto-discovery.json`, "{}");
  assertEquals(readOfficialNode({ path, folders: [folder.path] }), undefined);
  Deno.writeTextFileSync(path, "{}");
  assertEquals(readOfficialNode({ path, folders: [folder.path] }), { path, text: "{}" });
});

/** The paths that are looked at by `read`, none of which exists. */
function pathsOf(read: () => unknown): unknown[] {
  const paths: unknown[] = [];
  const statSync = (path: unknown) => {
    paths.push(path);
    throw new Deno.errors.NotFound();
  };
  using _nothing = replaced(Deno, { statSync });
  assertEquals(read(), undefined);
  return paths;
}

Deno.test("readOfficialNode() looks beside this program, where installers put the file, and in the working folder", () => {
  const home = Deno.env.get("HOME");
  const folders = [
    thisProgram().path.replace(/\/[^/]*$/, ""),
    "/opt/komari",
    "/usr/local/komari",
    ...(home ? [`${home}/.local/share/komari`, `${home}/.komari`] : []),
    Deno.cwd(),
  ];
  assertEquals(
    pathsOf(() => readOfficialNode()),
    folders.map((folder) => `${folder}/auto-discovery.json`),
  );
});

Deno.test("readOfficialTraffic() looks at the folder that is named before the usual ones", () => {
  assertEquals(pathsOf(() => readOfficialTraffic("/a")), [
    ...["/a/net_static.json", "/opt/komari/net_static.json", "net_static.json"],
  ]);
});

inFolder.test("readOfficialNode() takes files of up to 16 KiB, and waits for no pipe", async (folder) => {
  const folders = ["pipe", "long", "file"].map((name) => `${folder.path}/${name}`);
  const [pipe = "", long = "", file = ""] = folders.map((it) => `${it}/auto-discovery.json`);
  for (const path of folders) Deno.mkdirSync(path);
  const { success } = await new Deno.Command("mkfifo", { args: [pipe] }).output();
  assertEquals(success, true);
  Deno.writeTextFileSync(long, "{}".padEnd(16 * 1024 + 1));
  const text = "{}".padEnd(16 * 1024);
  Deno.writeTextFileSync(file, text);
  assertEquals(readOfficialNode({ folders }), { path: file, text });
});

inFolder.test("readOfficialTraffic() takes the record of many interfaces", (folder) => {
  const [path, text] = [`${folder.path}/net_static.json`, "{}".padEnd(1024 * 1024)];
  Deno.writeTextFileSync(path, text);
  assertEquals(readOfficialTraffic(folder.path), { path, text });
});

inFolder.test("official files that another user can write or exchange are passed over, unless one is named", async (folder) => {
  const [node, traffic] = ["auto-discovery.json", "net_static.json"].map((it) =>
    `${folder.path}/${it}`
  );
  const found =
    () => [readOfficialNode({ folders: [folder.path] }), readOfficialTraffic(folder.path)];
  for (const path of [node, traffic]) Deno.writeTextFileSync(`${path}`, "{}");
  assertEquals(found().map((it) => it?.text), ["{}", "{}"]);
  const attacks = [
    (_: string) => Deno.chmodSync(folder.path, 0o1777),
    (path: string) => (Deno.chmodSync(folder.path, 0o755), Deno.chmodSync(path, 0o666)),
  ];
  if (Deno.uid() === 0) {
    attacks.push((path) => (Deno.chmodSync(path, 0o644), Deno.chownSync(path, 12_345, 0)));
  }
  for (const attack of attacks) {
    for (const path of [node, traffic]) attack(`${path}`);
    const lines = await collectedLog(() =>
      Promise.resolve(assertEquals(found(), [undefined, undefined]))
    );
    assertEquals(lines.length, 2);
    assertStringIncludes(
      lines.join(),
      `Did not import ${node}: another user can write it or its folder`,
    );
    assertEquals(readOfficialNode({ path: `${node}` })?.text, "{}");
  }
});
