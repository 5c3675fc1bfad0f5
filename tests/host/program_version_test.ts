import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import { describeError } from "../../lib/log/log.ts";
import { readProgramVersion } from "../../lib/host/program_version.ts";
import { writeExecutable } from "../executable.ts";
import { FakeTime } from "../fake_time.ts";
import { realUntil } from "../real_deadline.ts";
import { TempFolder } from "../temp_folder.ts";

/** A program of its own, which is gone afterwards. */
async function withProgram(script: string, use: (path: string) => Promise<void>): Promise<void> {
  using folder = new TempFolder();
  const path = `${folder.path}/program`;
  writeExecutable(path, `#!/bin/sh\n${script}\n`);
  await use(path);
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
  try {
    const script =
      `echo "{\\"version\\": \\"$* \${AGENT_SECRET_OF_A_TEST-none} \${DENO##*/} \${HOME-none}\\"}"`;
    await withProgram(script, async (path) => {
      const runtime = Deno.execPath().split("/").at(-1);
      const printed = await readProgramVersion(path, { signal: never() });
      assertEquals(printed, `version --json none ${runtime} ${Deno.env.get("HOME") ?? "none"}`);
    });
  } finally {
    Deno.env.delete("AGENT_SECRET_OF_A_TEST");
  }
});

Deno.test("readProgramVersion() passes the variables without which a program may not start", async () => {
  const names = ["PATH", "HOME", "TMPDIR", "DENO_DIR", "LD_LIBRARY_PATH"];
  const { get } = Deno.env;
  const PATH = get.call(Deno.env, "PATH") ?? "";
  Object.assign(Deno.env, {
    get: (name: string) => name === "PATH" ? PATH : names.includes(name) ? `/${name}` : undefined,
  });
  try {
    const words = names.map((name) => `$${name}`).join(" ");
    await withProgram(`printf '{"version": "%s"}' "${words}"`, async (path) => {
      const printed = await readProgramVersion(path, { signal: never() });
      assertEquals(printed, [PATH, ...names.slice(1).map((name) => `/${name}`)].join(" "));
    });
  } finally {
    Object.assign(Deno.env, { get });
  }
});

Deno.test("readProgramVersion() kills a hanging program with its children", async () => {
  const script = `trap '' TERM\nsleep 1000 & echo $! >"$0.pid"\nwait\nsleep 1000`;
  await withProgram(script, async (path) => {
    using time = new FakeTime();
    const failing = failure(path);
    const pid = await textOf(`${path}.pid`);
    await time.run(9_999);
    assertEquals([time.timers, isAlive(pid)], [1, true], "it waits");
    await time.run(1);
    assertStringIncludes(await failing, "no answer within 10 s");
    await realUntil(() => !isAlive(pid));
  });
});

Deno.test("readProgramVersion() kills a program with endless output", async () => {
  await withProgram("while :; do echo babble; done", async (path) => {
    assertStringIncludes(await failure(path), "characters of output");
  });
});

Deno.test("readProgramVersion() reads up to 64 KiB of output", async () => {
  await withProgram(`printf '%60000s' ""; echo '{"version": "1"}'`, async (path) => {
    assertEquals(await readProgramVersion(path, { signal: never() }), "1");
  });
});

Deno.test("readProgramVersion() rejects when aborted", async () => {
  await withProgram("sleep 1000", async (path) => {
    const reason = new Error("enough");
    const stop = AbortSignal.abort(reason);
    assertEquals(
      await readProgramVersion(path, { signal: stop }).catch((error: unknown) => error),
      reason,
    );
  });
});

Deno.test("readProgramVersion() throws with the reason", async () => {
  const wrong: Record<string, string> = {
    "exit 7": "exit code 7",
    'echo "{}"': "instead of its version",
    'echo "null"': "instead of its version",
    ":": 'it printed "" instead of its version',
    [`echo '{"version": 1}'`]: "instead of its version",
    "kill -9 $$": "exit code 137",
  };
  for (const [script, words] of Object.entries(wrong)) {
    await withProgram(script, async (path) => assertStringIncludes(await failure(path), words));
  }
  assertStringIncludes(await failure("/nowhere/program"), "Cannot run /nowhere/program");
});

function isAlive(pid: string): boolean {
  try {
    return !Deno.readTextFileSync(`/proc/${pid}/stat`).includes(") Z ");
  } catch {
    return false;
  }
}

/** The line of a file, once there is one. */
async function textOf(path: string): Promise<string> {
  let text = "";
  await realUntil(() => {
    text = attempt(() => Deno.readTextFileSync(path)) ?? "";
    return text.endsWith("\n");
  });
  return text.trim();
}
