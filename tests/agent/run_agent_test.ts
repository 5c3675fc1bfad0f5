import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { isWhole } from "../../lib/sandbox/seal.ts";
import { readHealth } from "../../lib/state/health_reader.ts";
import { AgentProcess } from "../end_to_end/agent_process.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { TempFolder } from "../temp_folder.ts";
import { releaseRegularly } from "../../lib/agent/run_agent.ts";
import { onLinux } from "../only_on.ts";
import { shellOf } from "../remote/processes_below.ts";

const WITHOUT_FILTERS = [
  ...[Deno.execPath(), "run", "-A", "--no-prompt", "--no-check"],
  new URL("../security/without_filters.ts", import.meta.url).pathname,
];

/** The number of seccomp filters of a process. */
function filters(pid: number | "self"): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^Seccomp_filters:\s*(\d+)$/m.exec(status)?.[1]);
}

/** An agent's process, with files of its own, and the port that stands for its panel. */
async function withAgent(
  args: readonly string[],
  use: (bench: { agent: AgentProcess; panel: Deno.TcpListener; folder: string }) => Promise<void>,
  { panels, ...options }: {
    through?: readonly string[];
    /** Names the panels by a file, in place of one by flags. */
    panels?: (endpoint: string) => readonly Readonly<Record<string, unknown>>[];
  } = {},
): Promise<void> {
  using panel = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using folder = new TempFolder();
  const endpoint = `http://127.0.0.1:${panel.addr.port}`;
  const file = `${folder.path}/config.json`;
  Deno.writeTextFileSync(file, JSON.stringify({ panels: panels?.(endpoint) }), { mode: 0o600 });
  await using agent = new AgentProcess([
    ...(panels === undefined ? ["-e", endpoint, "-t", "t0ken"] : ["--config", file]),
    ...["--month-rotate", "1", "--state-dir", `${folder.path}/state`],
    ...args,
  ], { env: { RUNTIME_DIRECTORY: `${folder.path}/run` }, ...options });
  await use({ agent, panel, folder: folder.path });
}

onLinux.test("runAgent() seals the process when its files are open, and before it dials the panel", async () => {
  await withAgent([], async ({ agent, panel, folder }) => {
    using connection = await panel.accept();
    assertEquals(filters(agent.pid), filters("self") + 1);
    assertEquals(/\bgpu\b/.test(shellOf(agent.pid)?.words ?? ""), false);
    for (const name of ["state/month.state", "state/lock", "run/health"]) {
      assertEquals(Deno.statSync(`${folder}/${name}`).isFile, true);
    }
    const health = readHealth([`${folder}/run`]);
    assert(isWhole(health?.seal ?? ""), health?.seal);
    assertEquals(health?.panels.map((it) => it.panel), [`127.0.0.1:${panel.addr.port}`]);
    connection.close();
    assertEquals((await agent.stop()).code, 0);
    assertEquals(readHealth([`${folder}/run`]), undefined, "an agent that was stopped is none");
  });
});

onLinux.test("runAgent() notes what does not work before it dials the panel", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const args = ["--state-dir", "/proc/nowhere", "--metrics", `127.0.0.1:${taken.addr.port}`];
  await withAgent(args, async ({ agent, panel, folder }) => {
    using connection = await panel.accept();
    const problems = readHealth([`${folder}/run`])?.problems;
    assertEquals(problems?.map(({ part }) => part), ["authorities", "state", "metrics"]);
    connection.close();
    assertEquals((await agent.stop()).code, 0);
  }, { through: ["env", "DENO_CERT=/nowhere/authorities.pem"] });
});

onLinux.test("runAgent() never dials a panel when --require-seal can't be met", async () => {
  await withAgent(["--require-seal"], async ({ agent, panel }) => {
    const dialled = panel.accept().then((connection) => connection.close(), () => "never");
    assertEquals((await agent.ends()).code, 2, agent.output);
    assertStringIncludes(
      agent.output,
      "Cannot seal this process as --require-seal demands: Cannot install the seccomp filter: " +
        "the system forbids it (EPERM)",
    );
    // A connection would have come before the end of the process did.
    for (let turn = 0; turn < 10; turn++) await realTurn();
    panel.close();
    assertEquals(await dialled, "never");
  }, { through: WITHOUT_FILTERS });
});

onLinux.test("runAgent() does not seal a process that runs the commands of a panel, be it the second", async () => {
  const second = (endpoint: string) => [
    { endpoint: "http://127.0.0.1:9", token: "t0ken" },
    { endpoint, token: "an0ther", enable_remote_control: true },
  ];
  for (const panels of [undefined, second]) {
    const args = panels === undefined ? ["--enable-remote-control"] : [];
    await withAgent(args, async ({ agent, panel, folder }) => {
      using connection = await panel.accept();
      assertEquals(filters(agent.pid), filters("self"));
      assertEquals(readHealth([`${folder}/run`])?.seal, "not sealed: remote control is on");
      connection.close();
      assertEquals((await agent.stop()).code, 0);
    }, panels && { panels });
  }
});

Deno.test("releaseRegularly() releases memory after 4, 8, 12 and 60 s, then every half hour, until the signal aborts", async () => {
  using time = new FakeTime();
  const stop = new AbortController();
  const releasedAtMs: number[] = [];
  const running = releaseRegularly(() => void releasedAtMs.push(performance.now()), stop);
  await time.run(2 * 3_600_000);
  assertEquals(releasedAtMs, [4, 8, 12, 60, 1_860, 3_660, 5_460].map((seconds) => seconds * 1000));
  stop.abort();
  await running;
  assertEquals(time.timers, 0);
});
