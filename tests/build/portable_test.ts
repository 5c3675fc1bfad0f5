import { assertEquals, assertStringIncludes } from "@std/assert";
import { buildPortable } from "../../build/portable.ts";
import { writeExecutable } from "../executable.ts";
import { exists } from "../exists.ts";

const folder = await Deno.makeTempDir({ prefix: "portable-build-" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const stamp = { version: "7.8.9", commit: "c0ffee", repository: "somebody/komari-agent-deno" };
const path = await buildPortable({ ...stamp, folder });

const HERE = { DENO: Deno.execPath() };

async function start(
  args: readonly string[],
  options: { env: Readonly<Record<string, string>>; shell?: readonly string[] },
): Promise<{ code: number; out: string; error: string }> {
  const [program = path, ...first] = [...options.shell ?? [], path];
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...first, ...args],
    env: { PATH: "/usr/bin:/bin", ...options.env },
    clearEnv: true,
    cwd: folder,
  }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), error: text.decode(stderr) };
}

function script(name: string, text: string): string {
  writeExecutable(`${folder}/${name}`, text);
  return `${folder}/${name}`;
}

Deno.test("a portable build runs with the Deno in $DENO or on the path, without a home or files of its own", async () => {
  assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o755);
  const TMPDIR = await Deno.makeTempDir({ dir: folder });
  const { code, out, error } = await start(["version"], { env: { ...HERE, TMPDIR } });
  assertEquals([code, error, out.slice(0, 23)], [0, "", "komari-agent-deno 7.8.9"]);
  assertEquals(Array.from(Deno.readDirSync(TMPDIR)), []);
  // The cache folder of another user's home, with a link: root would make the file where it leads.
  const cache = `${folder}/home/.cache/deno`;
  await Deno.mkdir(cache, { recursive: true });
  await Deno.symlink(`${folder}/victim`, `${cache}/dep_analysis_cache_v2`);
  await Deno.symlink(Deno.execPath(), `${cache}/deno`);
  const NODE_OPTIONS = `--require ${script("x.cjs", `require("node:fs").mkdirSync("ran")`)}`;
  const env = { PATH: `${cache}:/usr/bin:/bin`, HOME: `${folder}/home`, NODE_OPTIONS };
  assertEquals((await start(["version"], { env })).code, 0);
  assertEquals(["victim", "ran"].map((it) => exists(`${folder}/${it}`)), [Deno.uid() !== 0, false]);
});

Deno.test("a portable build closes what it has used: the traffic can be set again and again", async () => {
  const state = await Deno.makeTempDir({ dir: folder });
  const args = ["traffic", "set", "--up", "1GB", "--month-rotate", "1", "--state-dir", state];
  for (let time = 0; time < 2; time++) {
    const { code, error } = await start(args, { env: HERE });
    assertEquals({ code, error }, { code: 0, error: "" });
  }
});

Deno.test("a portable build passes arguments unchanged, in each shell", async () => {
  const word = `a "b" 'c' $HOME *`;
  for (const shell of [["dash"], ["bash"], ["busybox", "ash"]]) {
    if (["/bin/", "/usr/bin/"].every((place) => !exists(place + shell[0]))) continue;
    const { code, error } = await start([word], { env: HERE, shell });
    assertEquals([code, error.includes(word)], [2, true], error);
  }
});

Deno.test("a portable build says what is wrong with Deno, or with itself, in one line", async () => {
  const fails = async (words: string, env: Record<string, string>, shell: string[] = []) => {
    const { code, out, error } = await start(["version"], { env, shell });
    assertEquals([code, out, error.trim().split("\n").length], [1, "", 1], error);
    assertStringIncludes(error, words);
  };
  await fails("2.9 or newer, named by $DENO or on the path; /no is not there, or", { DENO: "/no" });
  const empty = script("empty-deno", "");
  await fails(`${empty} is there as ${empty}, and does not run`, { DENO: empty });
  for (const number of ["1.46.3", "2.0.6", "2.8.3"]) {
    const old = script("old-deno", `#!/bin/sh\necho "deno ${number} (stable, …)"\n`);
    await fails(`${old} is deno ${number}; update it: deno upgrade\n`, { DENO: old });
  }
  const bytes = Deno.readFileSync(path);
  for (const size of [bytes.length - 1, 200_000]) {
    const cut = `${folder}/cut`;
    Deno.writeFileSync(cut, bytes.subarray(0, size), { mode: 0o755 });
    const words = `deno: ${cut} is damaged: it has ${size} of ${bytes.length}`;
    await fails(words, HERE, ["sh", "-c", `exec ${cut}`]);
  }
});

Deno.test("a portable build starts with a newer Deno, also when its engine refuses the flags", async () => {
  // Another user's configuration of the working folder, which Deno would read and fail at.
  script("deno.json", "{");
  const [flags, both] = [["run with flags"], ["eval with flags", "run with flags"]];
  for (
    const [number, refuses, calls] of [
      ["2.9.0", false, flags],
      ["2.10.0", false, both],
      ["12.1.0", true, ["eval with flags", "run"]],
    ] as const
  ) {
    const record = await Deno.makeTempFile({ dir: folder });
    const deno = script(
      "recording-deno",
      `#!/bin/sh
      [ "$1" = --version ] && echo "deno ${number} (stable, …)" && exit
      case "$*" in *--v8-flags=--no-opt,*) with=" with flags";; *) with=;; esac
      echo "$1$with" >> ${record}
      [ -z "$with" ] || ${refuses ? "exit 1" : `exec '${Deno.execPath()}' "$@"`}
      `,
    );
    assertEquals((await start(["version"], { env: { DENO: deno } })).code, 0);
    assertEquals((await Deno.readTextFile(record)).trim().split("\n"), calls, number);
  }
});
