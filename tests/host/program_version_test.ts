import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import { describeError } from "../../lib/log/log.ts";
import { readProgramVersion } from "../../lib/host/program_version.ts";
import { writeExecutable } from "../executable.ts";
import { isAlive } from "../exists.ts";
import { FakeTime } from "../fake_time.ts";
import { realUntil } from "../real_deadline.ts";
import { replaced } from "../replaced.ts";
import { TempFolder } from "../temp_folder.ts";

/** A program of its own, which is gone afterwards. */
class Program extends TempFolder {
  readonly file = `${this.path}/program`;

  constructor(script: string) {
    super();
    writeExecutable(this.file, `#!/bin/sh\n${script}\n`);
  }
}

const never = () => new AbortController().signal;

async function failure(path: string): Promise<string> {
  const error = await assertRejects(
    () => readProgramVersion(path, { signal: never() }),
    Error,
    `Cannot run ${path}`,
  );
  return describeError(error);
}

Deno.test("readProgramVersion() asks for JSON and passes no secret variables", async () => {
  // No option, since other tests may run in this process.
  Deno.env.set("AGENT_SECRET_OF_A_TEST", "s3cret");
  using secret = new DisposableStack();
  secret.defer(() => Deno.env.delete("AGENT_SECRET_OF_A_TEST"));
  const script =
    `echo "{\\"version\\": \\"$* \${AGENT_SECRET_OF_A_TEST-none} \${DENO##*/} \${HOME-none}\\"}"`;
  using program = new Program(script);
  const runtime = Deno.execPath().split("/").at(-1);
  const printed = await readProgramVersion(program.file, { signal: never() });
  assertEquals(printed, `version --json none ${runtime} ${Deno.env.get("HOME") ?? "none"}`);
});

Deno.test("readProgramVersion() passes the variables without which a program may not start", async () => {
  const names = ["PATH", "HOME", "TMPDIR", "DENO_DIR", "LD_LIBRARY_PATH"];
  const { get } = Deno.env;
  const PATH = get.call(Deno.env, "PATH") ?? "";
  using _variables = replaced(Deno.env, {
    get: (name) => name === "PATH" ? PATH : names.includes(name) ? `/${name}` : undefined,
  });
  const words = names.map((name) => `$${name}`).join(" ");
  using program = new Program(`printf '{"version": "%s"}' "${words}"`);
  const printed = await readProgramVersion(program.file, { signal: never() });
  assertEquals(printed, [PATH, ...names.slice(1).map((name) => `/${name}`)].join(" "));
});

Deno.test("readProgramVersion() kills a program that hangs, whatever it does about that", async () => {
  using program = new Program(`trap '' TERM\necho $$ >"$0.pid"\nwhile :; do sleep 0.1; done`);
  using time = new FakeTime();
  const failing = failure(program.file);
  const pid = await textOf(`${program.file}.pid`);
  await time.run(9_999);
  assertEquals(isAlive(Number(pid)), true, "it waits");
  await time.run(5_001);
  await time.until(failing, { withinMs: 1_000 });
  assertStringIncludes(await failing, "it did not end within 10 s");
  await realUntil(() => !isAlive(Number(pid)));
});

Deno.test("readProgramVersion() rejects when aborted", async () => {
  using program = new Program("sleep 1000");
  const reason = new Error("enough");
  const stop = AbortSignal.abort(reason);
  assertEquals(
    await readProgramVersion(program.file, { signal: stop }).catch((error: unknown) => error),
    reason,
  );
});

Deno.test("readProgramVersion() throws with the reason", async () => {
  const wrong: Record<string, string> = {
    'echo \'{"version": "1"}\'; echo GLIBC_2.27 >&2; exit 7':
      'ended with code 7 and printed "{\\"version\\": \\"1\\"}\\nGLIBC_2.27"',
    ":": 'ended with code 0 and printed ""',
    [`echo '{"version": 1}'`]: "ended with code 0 and printed",
    "kill -9 $$": "ended with code 137",
  };
  for (const [script, words] of Object.entries(wrong)) {
    using program = new Program(script);
    assertStringIncludes(await failure(program.file), words);
  }
  assertStringIncludes(await failure("/nowhere/program"), "/nowhere/program does not exist");
  using odd = new Program("");
  Deno.writeTextFileSync(odd.file, "#!/no/such/interpreter");
  assertStringIncludes(await failure(odd.file), "No such file");
});

/** The line of a file, once there is one. */
async function textOf(path: string): Promise<string> {
  let text = "";
  await realUntil(() => {
    text = attempt(() => Deno.readTextFileSync(path)) ?? "";
    return text.endsWith("\n");
  });
  return text.trim();
}
