import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { TempFolder } from "../../temp_folder.ts";

const SCRIPT = new URL("../../../build/compile.ts", import.meta.url).pathname;
const ROOT = new URL("../../../", import.meta.url).pathname;

/** Runs the task in a copy of the checkout's sources, and gives what it left in `dist/`. */
async function compile(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  using folder = new TempFolder();
  for (
    const name of ["main.ts", "deno.json", "deno.lock", "std.d.ts", "LICENSE", "lib", "install.sh"]
  ) {
    await Deno.symlink(`${ROOT}${name}`, `${folder.path}/${name}`);
  }
  await Deno.mkdir(`${folder.path}/dist`);
  // A runtime for the image, which is not the build's, and what an earlier build has left.
  await Deno.writeTextFile(`${folder.path}/dist/deno`, "");
  await Deno.writeTextFile(`${folder.path}/dist/komari-agent-deno-linux-amd64`, "old");
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `--config=${ROOT}deno.json`, SCRIPT, ...args],
    cwd: folder.path,
    // A runtime that is not there fails as one that can't be downloaded, and just as surely.
    env: { NO_COLOR: "1", DENORT_BIN: "/nowhere/denort", ...env },
  }).output();
  const files = Array.from(Deno.readDirSync(`${folder.path}/dist`), ({ name }) => name).sort();
  const check = await new Deno.Command("sha256sum", {
    args: ["--check", "SHA256SUMS"],
    cwd: `${folder.path}/dist`,
  }).output();
  const checksums = await Deno.readTextFile(`${folder.path}/dist/SHA256SUMS`).catch(() => "");
  const text = new TextDecoder();
  const sums = text.decode(check.stdout).trim().split("\n");
  return { code, error: text.decode(stderr), files, sums, checksums };
}

Deno.test("compile --portable builds the portable program alone, and the same in another zone and locale", async () => {
  const [one, two] = await Promise.all([
    compile(["--portable"], { TZ: "UTC", LC_ALL: "C" }),
    compile(["--portable"], { TZ: "Asia/Shanghai", LC_ALL: "zh_CN.UTF-8", LANG: "zh_CN.UTF-8" }),
  ]);
  assertEquals([one.code, one.error], [0, ""]);
  const built = ["install.sh", "komari-agent-deno-portable", "komari-agent-deno.cdx.json"];
  assertEquals(one.files, ["SHA256SUMS", "deno", ...built]);
  assertEquals(one.sums, built.map((name) => `${name}: OK`));
  assertEquals(two.checksums, one.checksums);
  assertEquals(one.checksums.split("\n").length, 8);
  assertMatch(one.checksums, /^#version=\d+\.\d+\.\d+\n/);
  assertMatch(one.checksums, /^#size=\d{6,}:komari-agent-deno-portable$/m);
});

Deno.test("compile leaves nothing of a build that failed, nor of an earlier one, and says why", async () => {
  const targets = "linux-amd64, linux-arm64, darwin-amd64, darwin-arm64";
  for (
    const [args, ...words] of [
      [[], "Cannot compile for linux-amd64", "DENORT_BIN"],
      [["--target", "linux-mips"], "linux-mips", targets],
      [["--portable", "--version", "next"], 'Cannot build version "next"'],
    ] as const
  ) {
    const { code, error, files } = await compile(args);
    assertEquals([code, error.trim().split("\n").length], [1, 1], error);
    for (const word of words) assertStringIncludes(error, word);
    if (!args.some((it) => it === "--target")) assertEquals(files, ["deno"]);
  }
});
