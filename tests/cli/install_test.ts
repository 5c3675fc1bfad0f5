import { assertEquals, assertRejects } from "@std/assert";
import { runInstall } from "../../lib/cli/install.ts";
import type { Config } from "../../lib/config/config.ts";
import type { TargetSystem } from "../../lib/service/target_system.ts";
import { replaced } from "../replaced.ts";
import { onLinux } from "../only_on.ts";
import { openHealth } from "../state/health_folder.ts";
import { TempFolder } from "../temp_folder.ts";
import { configOf, FakeContext } from "./fake_context.ts";

/** An installation that is only shown. */
const SHOWN: Config = {
  ...configOf("install -e https://panel.example -t t --print".split(" ")),
  print: true,
};

Deno.test("runInstall() tells the installation of a hang-up and of a stop", async () => {
  const aborted = (signal: AbortSignal) =>
    new Promise<undefined>((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("put back")));
    });
  let hangUp = () => {};
  using _system = replaced(Deno, { addSignalListener: (_, listener) => void (hangUp = listener) });
  const stop = new AbortController();
  const context = Object.assign(new FakeContext(), { signal: stop.signal });
  for (const end of [() => hangUp(), () => stop.abort()]) {
    const installed = runInstall(SHOWN, context, (_config, _system, { signal }) => {
      queueMicrotask(end);
      return aborted(signal);
    });
    await assertRejects(() => installed, Error, "put back");
  }
});

Deno.test("runInstall() makes folders that nobody else may write, whatever its caller's umask", async () => {
  const before = Deno.umask(0);
  await runInstall(SHOWN, new FakeContext(), () => Promise.resolve(undefined));
  assertEquals(Deno.umask(before), 0o022);
});

/** A process with a node's token, as another agent, until the block ends; that of another process than this one. */
async function otherAgent(folder: string, token: string): Promise<AsyncDisposable> {
  const program = `${folder}/komari-agent-of-the-test`;
  Deno.symlinkSync("/bin/sh", program);
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", `'${program}' -c "echo here; read -r line"; :`],
    env: { AGENT_TOKEN: token },
    ...{ clearEnv: true, stdin: "piped", stdout: "piped" },
  }).spawn();
  // Its shell has begun then.
  for await (const _ of child.stdout) break;
  const end = async () => (await child.stdin.close(), void await child.status);
  return { [Symbol.asyncDispose]: end };
}

onLinux.test("runInstall() ends with how the installation did, and names an agent beside the new one", async () => {
  using folder = new TempFolder();
  const token = crypto.randomUUID();
  await using _other = await otherAgent(folder.path, token);
  const args = ["install", "-e", "https://panel.example", "-t", token];
  const config = configOf([...args, "--install-service-name", "no-such-service"], {
    RUNTIME_DIRECTORY: `${folder.path}/run`,
  });
  using _agent = openHealth(`${folder.path}/run`);
  for (const [print, refusal, code] of [[false, undefined, 0], [true, "refused", 1]] as const) {
    const context = new FakeContext();
    const act = () => Promise.resolve(refusal);
    assertEquals(await runInstall({ ...config, print }, context, act), code);
    const words = "Note: another agent runs with the same token: ";
    assertEquals(context.printed.startsWith(words), !print, context.printed);
  }
});

Deno.test("runInstall() goes on without a terminal that takes no more lines", async () => {
  let lines = 0;
  const context = Object.assign(new FakeContext(), {
    print() {
      lines++;
      throw new Deno.errors.BrokenPipe();
    },
  });
  const print = (_config: Config, system: TargetSystem) => {
    for (const line of ["a line", "another"]) system.printLine(line);
    return Promise.resolve(undefined);
  };
  assertEquals(await runInstall(SHOWN, context, print), 0);
  assertEquals(lines, 2);
});
