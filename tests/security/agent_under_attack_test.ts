import { assert, assertEquals } from "@std/assert";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { onLinux } from "../only_on.ts";
import { TempFolder } from "../temp_folder.ts";

const PROGRAM = new URL("agent_under_attack.ts", import.meta.url).pathname;
const RACE = "win the race for its own memory";

/** Attacks an agent that is sealed in a mode; the attacks that succeeded. */
async function attack(mode: string): Promise<Set<string>> {
  using panel = await startTestPanel({ token: "t0ken" });
  using folder = new TempFolder();
  const agent = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "--no-check", PROGRAM, mode, panel.url, folder.path],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let swapper = 0;
  const succeeded = new Set<string>();
  let output = "";
  try {
    for await (const chunk of agent.stdout.pipeThrough(new TextDecoderStream())) {
      output += chunk;
      if (output.includes('"done"')) break;
    }
    for (const line of output.trim().split("\n")) {
      const { swapper: pid, attack, succeeded: isSuccess } = JSON.parse(line);
      swapper = pid ?? swapper;
      if (isSuccess) succeeded.add(attack);
    }
    // It goes on reporting, whatever was tried.
    const { reports } = panel.state.counts;
    await panel.state.until(({ counts }) => counts.reports >= reports + 3);
    agent.kill("SIGTERM");
    assertEquals((await agent.status).code, 0, output);
  } finally {
    if (swapper !== 0) Deno.kill(swapper, "SIGKILL");
  }
  return succeeded;
}

for (const mode of ["sealed", "kernel"]) {
  onLinux.test(`a sealed agent withstands an attacker's code in its process, and reports on: ${mode}`, async () => {
    assertEquals(await attack(mode), new Set());
  });
}

onLinux.test("the same attacks succeed without the seal", async () => {
  const succeeded = await attack("open");
  assertEquals(succeeded.size, 8, [...succeeded].join(", "));
});

onLinux.test("revoking the permissions to run programs and load libraries alone is no seal", async () => {
  const succeeded = await attack("old");
  assert(succeeded.has(RACE), [...succeeded].join(", "));
});

onLinux.test("the runtime's part alone stops what plain code tries, but reading beside --month-rotate", async () => {
  assertEquals(await attack("runtime"), new Set(["read a file", "open a folder"]));
});
