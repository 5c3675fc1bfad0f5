import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { buildPortable } from "../../build/portable.ts";
import { writeExecutable } from "../executable.ts";
import { exists } from "../exists.ts";
import { onlyIf } from "../only_on.ts";

const folder = await Deno.makeTempDir({ prefix: "portable-build-" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const stamp = { version: "7.8.9", commit: "c0ffee", repository: "somebody/komari-agent-deno" };
const path = await buildPortable({ ...stamp, folder });

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

Deno.test("buildPortable() writes one file with mode 0755", () => {
  assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o755);
});

Deno.test("a portable build runs with the Deno in $DENO, without a home", async () => {
  const { code, out, error } = await start(["version"], { env: { DENO: Deno.execPath() } });
  assertEquals({ code, error }, { code: 0, error: "" });
  assertStringIncludes(out, "komari-agent-deno 7.8.9");
});

Deno.test("a portable build closes what it has used: the traffic can be set again and again", async () => {
  const state = await Deno.makeTempDir({ dir: folder });
  const args = ["traffic", "set", "--up", "1GB", "--month-rotate", "1", "--state-dir", state];
  const env = { DENO: Deno.execPath() };
  for (let time = 0; time < 2; time++) {
    const { code, error } = await start(args, { env });
    assertEquals({ code, error }, { code: 0, error: "" });
  }
});

Deno.test("a portable build runs with the Deno on the path", async () => {
  await Deno.mkdir(`${folder}/bin`);
  await Deno.symlink(Deno.execPath(), `${folder}/bin/deno`);
  const { code } = await start(["version"], { env: { PATH: `${folder}/bin:/usr/bin:/bin` } });
  assertEquals(code, 0);
});

Deno.test("a portable build passes arguments unchanged", async () => {
  const word = `a "b" 'c' $HOME *`;
  const { code, error } = await start([word], { env: { DENO: Deno.execPath() } });
  assertEquals(code, 2);
  assertStringIncludes(error, word);
});

Deno.test("a portable build prints an error when there is no Deno", async () => {
  const { code, out, error } = await start(["version"], { env: { DENO: "/nowhere/deno" } });
  assertEquals({ code, out }, { code: 1, out: "" });
  assertStringIncludes(error, "needs Deno 2.9 or newer");
  assertStringIncludes(error, "/nowhere/deno is not there, or not for this user");
  assertEquals(error.trim().split("\n").length, 1);
});

Deno.test("a portable build tells a Deno that does not run from one that is not there", async () => {
  const empty = script("empty-deno", "");
  const { error } = await start(["version"], { env: { DENO: empty } });
  assertStringIncludes(error, `${empty} is there as ${empty}, and does not run`);
});

Deno.test("a portable build that was cut off says how much of it is there", async () => {
  const cut = `${folder}/cut`;
  const bytes = Deno.readFileSync(path);
  for (const size of [bytes.length - 1, 200_000]) {
    Deno.writeFileSync(cut, bytes.subarray(0, size), { mode: 0o755 });
    const env = { DENO: Deno.execPath() };
    const { code, out, error } = await start(["version"], {
      env,
      shell: ["sh", "-c", `exec ${cut}`],
    });
    assertEquals({ code, out }, { code: 1, out: "" });
    assertEquals(
      error,
      `Cannot run komari-agent-deno: ${cut} is damaged: it has ${size} of ${bytes.length} bytes\n`,
    );
  }
});

Deno.test("a portable build refuses Denos before 2.9", async () => {
  const taken: string[] = [];
  const numbers = ["1.46.3", "2.0.6", "2.8.3", "2.9.0", "2.9.6", "2.10.0", "3.0.0", "12.1.0"];
  for (const number of numbers) {
    const deno = script(
      "other-deno",
      `#!/bin/sh\n[ "$1" = --version ] && echo "deno ${number} (stable, …)" || echo "started"\n`,
    );
    const { code, out, error } = await start(["version"], { env: { DENO: deno } });
    if (out === "started\n") taken.push(number);
    else {
      assertEquals({ code, out }, { code: 1, out: "" });
      assertStringIncludes(error, `${deno} is deno ${number}; update it: deno upgrade\n`);
    }
  }
  assertEquals(taken, ["2.9.0", "2.9.6", "2.10.0", "3.0.0", "12.1.0"]);
});

const table = [
  { number: "2.9.6", refuses: false, calls: ["run with flags"] },
  { number: "2.10.0", refuses: false, calls: ["eval with flags", "run with flags"] },
  { number: "2.10.0", refuses: true, calls: ["eval with flags", "run"] },
];
for (const { number, refuses, calls } of table) {
  const refusal = refuses ? ", whose engine refuses its flags" : "";
  Deno.test(`a portable build starts with Deno ${number}${refusal}`, async () => {
    const record = await Deno.makeTempFile({ dir: folder });
    const deno = script(
      "recording-deno",
      `#!/bin/sh
      [ "$1" = --version ] && echo "deno ${number} (stable, …)" && exit
      case "$*" in *--v8-flags=--no-opt,*) with=" with flags";; *) with=;; esac
      echo "$1$with" >> ${record}
      [ -z "$with" ] || exit ${refuses ? 1 : 0}
      `,
    );
    assertEquals((await start(["version"], { env: { DENO: deno } })).code, 0);
    assertEquals((await Deno.readTextFile(record)).trim().split("\n"), calls);
  });
}

for (const shell of [["dash"], ["bash"], ["busybox", "ash"]]) {
  const [program = ""] = shell;
  const missing = ["/bin/", "/usr/bin/"].every((place) => !exists(`${place}${program}`));
  const withShell = onlyIf(!missing);
  withShell.test(`a portable build is read by ${shell.join(" ")}${missing ? ", which is not here" : ""}`, async () => {
    const { code, error } = await start(["version"], { env: { DENO: Deno.execPath() }, shell });
    assertEquals({ code, error }, { code: 0, error: "" });
  });
}

Deno.test("a portable build leaves no temporary files", async () => {
  const empty = await Deno.makeTempDir({ dir: folder });
  const env = { DENO: Deno.execPath(), TMPDIR: empty };
  assertEquals((await start(["version"], { env })).code, 0);
  assert(Array.from(Deno.readDirSync(empty)).length === 0);
});
