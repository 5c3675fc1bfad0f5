import { assertEquals, assertStringIncludes } from "@std/assert";
import { freePort } from "../free_port.ts";
import { ownPlaces } from "../own_places.ts";
import { TempFolder } from "../temp_folder.ts";
import { PATIENCE_MS } from "../patience.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PAGE_FILE = "lib/demo/page/base.js";

/** A copy of what the program needs, which a test may change. */
async function copyOfCheckout(): Promise<TempFolder> {
  const folder = new TempFolder();
  const names = ["main.ts", "deno.json", "deno.lock", "std.d.ts", "LICENSE", "lib", "build"];
  const { success } = await new Deno.Command("cp", {
    args: ["-r", ...names.map((name) => ROOT + name), folder.path],
  }).output();
  assertEquals(success, true);
  return folder;
}

/** `home` is not the folder that is watched for changes. */
function start(folder: string, home: string, args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `${folder}/build/run_source.ts`, ...args],
    cwd: folder,
    env: { NO_COLOR: "1", ...ownPlaces(home) },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

Deno.test("run_source.ts passes arguments, output and exit code on", async () => {
  using home = new TempFolder();
  const child = start(ROOT.replace(/\/$/, ""), home.path, ["--no-such-flag"]);
  const { code, stderr } = await child.output();
  assertEquals(code, 2);
  assertStringIncludes(new TextDecoder().decode(stderr), "--no-such-flag");
});

Deno.test("run_source.ts --watch shows a change of the page, and ends with its program", async () => {
  using folder = await copyOfCheckout();
  const port = freePort();
  const args = ["--watch", "demo", "--port", `${port}`];
  await using child = start(folder.path, `${folder.path}/home`, args);
  const output = child.output();
  const before = await pageFile(port, (text) => text !== "");
  await Deno.writeTextFile(`${folder.path}/${PAGE_FILE}`, `${before}\n// changed by a test\n`);
  const after = await pageFile(port, (text) => text.includes("changed by a test"));
  assertStringIncludes(after, "changed by a test");
  child.kill("SIGTERM");
  const { code, stderr } = await output;
  const log = new TextDecoder().decode(stderr);
  assertEquals(code, 0, log);
  assertStringIncludes(log, "The code has changed; starting anew");
});

/** The page's file once it is as wanted. */
async function pageFile(port: number, isWanted: (text: string) => boolean): Promise<string> {
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end;) {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/demo/page/base.js`);
      const text = await answer.text();
      if (answer.ok && isWanted(text)) return text;
    } catch {
      // It is not up yet, or being started anew.
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("Cannot wait longer for the page");
}
