import { assertEquals } from "@std/assert";
import { readOfficialNode, readOfficialTraffic } from "../../lib/host/official_files.ts";

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

Deno.test("readOfficialNode() looks where official agents put their file, and no further", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "official-node-" });
  try {
    const places = ["home/.local/share/komari", "home/.komari", "cwd"];
    for (const place of [...places, "home"]) {
      Deno.mkdirSync(`${folder}/${place}`, { recursive: true });
    }
    // With another home and working folder than those of the other tests.
    const script = `
      import { readOfficialNode } from "${new URL(
      "../../lib/host/official_files.ts",
      import.meta.url,
    )}";
      const found = [];
      for (const place of ${JSON.stringify([...places, "home"])}) {
        const path = ${JSON.stringify(folder)} + "/" + place + "/auto-discovery.json";
        Deno.writeTextFileSync(path, "{}".padEnd(16 * 1024));
        found.push(readOfficialNode()?.path === path);
        Deno.removeSync(path);
      }
      console.log(JSON.stringify(found));`;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", "--no-config", script],
      cwd: `${folder}/cwd`,
      env: { HOME: `${folder}/home`, DENO_DIR: denoFolder() },
    }).output();
    const decoder = new TextDecoder();
    assertEquals(decoder.decode(stdout), "[true,true,true,false]\n", decoder.decode(stderr));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

/** The runtime's cache, so that another home needs none of its own. */
function denoFolder(): string {
  return Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
}

Deno.test("readOfficialTraffic() takes the file of the folder that is named first", () => {
  const folder = Deno.makeTempDirSync({ prefix: "official-traffic-" });
  try {
    const path = `${folder}/net_static.json`;
    const text = "{}".padEnd(1024 * 1024);
    Deno.writeTextFileSync(path, text);
    assertEquals(readOfficialTraffic(folder), { path, text });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
