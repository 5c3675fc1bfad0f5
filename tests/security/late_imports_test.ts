import { assertEquals } from "@std/assert";

const LIB = new URL("../../lib/", import.meta.url).pathname;

function* sourceFiles(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* sourceFiles(`${folder}${name}/`);
    else if (name.endsWith(".ts")) yield `${folder}${name}`;
  }
}

Deno.test("an agent that runs from source imports no file of its own after the seal", () => {
  const found: string[] = [];
  // Commands other than the agent are not sealed, or at their very end.
  const rooms = "agent exporter metrics net panel probe remote sandbox state";
  for (const room of rooms.split(" ")) {
    for (const path of sourceFiles(`${LIB}${room}/`)) {
      // These run before the seal.
      if (/\/(open_agent|open_machine)\.ts$/.test(path)) continue;
      const text = Deno.readTextFileSync(path);
      for (const [, specifier = ""] of text.matchAll(/(?<!typeof )import\(\s*"(\.[^"]+)"/g)) {
        found.push(`${path.slice(LIB.length)}: ${specifier}`);
      }
    }
  }
  // With remote control, which excludes the seal.
  assertEquals(found, ["remote/files.ts: ./file_requests.ts"]);
});
