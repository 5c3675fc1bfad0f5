import { assertEquals, assertRejects } from "@std/assert";
import { isHangUpIgnored, runInstall } from "../../lib/cli/install.ts";
import type { Config } from "../../lib/config/config.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import type { TargetSystem } from "../../lib/service/target_system.ts";
import { replaced, withTexts } from "../replaced.ts";
import { onLinux } from "../only_on.ts";
import { openHealth } from "../state/health_folder.ts";
import { TempFolder } from "../temp_folder.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { OtherAgent } from "./other_agent.ts";

Deno.test("isHangUpIgnored() reads the first signal of the mask, which nohup sets", () => {
  const table: [mask: string, isIgnored: boolean][] = [
    ["0000000000000001", true],
    ["0000000000001007", true],
    ["ffffffffffffffff", true],
    ["0000000000001006", false],
    ["0000000000000000", false],
  ];
  for (const [mask, isIgnored] of table) {
    const status =
      `Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t${mask}\nSigCgt:\t0000000000000001\n`;
    assertEquals(isHangUpIgnored(status), isIgnored, mask);
  }
  assertEquals(isHangUpIgnored(""), false);
});

/** An installation that is only shown. */
const SHOWN: Config = {
  ...configOf("install -e https://panel.example -t t --print".split(" ")),
  print: true,
};
const done = () => Promise.resolve(undefined);

Deno.test("runInstall() listens for a hang-up, but not after nohup", async () => {
  const table: [mask: string, expected: string[]][] = [["0", ["SIGHUP"]], ["1", []]];
  for (const [mask, expected] of table) {
    const listened: string[] = [];
    using _system = replaced(Deno, { addSignalListener: (name) => void listened.push(name) });
    const status = `SigIgn:\t${mask}\n`;
    using _mask = withTexts((path) => path === "/proc/self/status" ? status : undefined);
    assertEquals(await runInstall(SHOWN, new FakeContext(), done), 0);
    assertEquals(listened, expected);
  }
});

Deno.test("runInstall() ends with 129 where a hang-up has ended it, and throws any other error", async () => {
  const config = { ...configOf(["install", "--print"]), print: true };
  {
    using _none = replaced(Deno, { addSignalListener: () => {} });
    await assertRejects(() => runInstall(config, new FakeContext()), UsageError, "Cannot install");
  }
  using _hangUp = replaced(Deno, { addSignalListener: (_, hangUp) => hangUp() });
  assertEquals(await runInstall(config, new FakeContext()), 129);
});

Deno.test("runInstall() tells the installation of a hang-up and of a stop", async () => {
  const aborted = (signal: AbortSignal) =>
    new Promise<undefined>((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("put back")));
    });
  let hangUp = () => {};
  using _system = replaced(Deno, { addSignalListener: (_, listener) => void (hangUp = listener) });
  const hungUp = runInstall(SHOWN, new FakeContext(), (_config, _system, { signal }) => {
    queueMicrotask(hangUp);
    return aborted(signal);
  });
  assertEquals(await hungUp, 129);
  const stop = new AbortController();
  const context = Object.assign(new FakeContext(), { signal: stop.signal });
  const stopped = runInstall(SHOWN, context, (_config, _system, { signal }) => {
    queueMicrotask(() => stop.abort());
    return aborted(signal);
  });
  await assertRejects(() => stopped, Error, "put back");
});

onLinux.test("runInstall() ends with how the installation did, and names an agent beside the new one", async () => {
  using folder = new TempFolder();
  const token = crypto.randomUUID();
  await using _other = await OtherAgent.start(folder.path, token);
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
    return done();
  };
  assertEquals(await runInstall(SHOWN, context, print), 0);
  assertEquals(lines, 2);
});
