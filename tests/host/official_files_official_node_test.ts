import { assertEquals } from "@std/assert";
import { readOfficialNode } from "../../lib/host/official_files.ts";

Deno.test("readOfficialNode() takes the file of the first folder that has one", () => {
  const folder = Deno.makeTempDirSync({ prefix: "official-node-" });
  try {
    const [first, second, odd] = [`${folder}/1`, `${folder}/2`, `${folder}/odd`];
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
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("readOfficialNode() takes the file that is named, and no empty one", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = `${folder}/node.json`;
    Deno.writeTextFileSync(`${folder}/auto-discovery.json`, "{}");
    assertEquals(readOfficialNode({ path, folders: [folder] }), undefined);
    Deno.writeTextFileSync(path, "\n");
    assertEquals(readOfficialNode({ path, folders: [folder] }), undefined);
    Deno.writeTextFileSync(path, "{}");
    assertEquals(readOfficialNode({ path, folders: [folder] }), { path, text: "{}" });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
