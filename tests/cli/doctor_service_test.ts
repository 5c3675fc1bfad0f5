import { assertEquals, assertStringIncludes } from "@std/assert";
import { type CompletedCheck, parseCheck, runChecks } from "../../lib/cli/checks.ts";
import { machineChecks } from "../../lib/cli/doctor_machine.ts";
import { runningAgent, serviceChecks } from "../../lib/cli/doctor_service.ts";
import type { Config } from "../../lib/config/config.ts";
import { configOf, openHealth } from "./fake_context.ts";

const TOKEN = "t0ken-of-this-node";

/** Runs the checks of these ids alone. */
async function check(
  config: Config,
  env: Record<string, string>,
  ids: readonly string[],
): Promise<Record<string, CompletedCheck>> {
  const { signal } = new AbortController();
  const health = runningAgent(config, env);
  const options = { os: "linux", arch: "x86_64", health };
  const all = [...serviceChecks(config, { env, health }), ...machineChecks(config, options)];
  const checks = all.filter(({ id }) => ids.includes(id));
  const completed = await Array.fromAsync(runChecks(checks, { signal, secrets: [] }));
  return Object.fromEntries(completed.map((it) => [it.id, it]));
}

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await act(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Leaves the health file of an agent that was killed: others that run on this machine don't count. */
function leaveKilled(folder: string): void {
  const health = openHealth(folder);
  const text = Deno.readTextFileSync(health.path);
  health.close();
  Deno.writeTextFileSync(`${folder}/health`, text);
}

function configIn(folder: string, ...more: readonly string[]): Config {
  const args = [
    "-e",
    "http://127.0.0.1:1",
    "-t",
    TOKEN,
    "--install-service-name",
    "no-such-service",
  ];
  return configOf(["doctor", ...args, "--state-dir", `${folder}/state`, ...more], {
    RUNTIME_DIRECTORY: folder,
  });
}

Deno.test("machineChecks() try the state folder, and leave nothing there", async () => {
  await inFolder(async (folder) => {
    leaveKilled(folder);
    const config = configIn(folder, "--month-rotate", "1");
    const { state } = await check(config, {}, ["state"]);
    assertEquals([state?.status, state?.text], ["ok", `${folder}/state can be made`]);
    Deno.mkdirSync(`${folder}/state`);
    assertEquals((await check(config, {}, ["state"])).state?.text, `${folder}/state`);
    assertEquals([...Deno.readDirSync(`${folder}/state`)], []);
    Deno.removeSync(`${folder}/state`);
    Deno.writeTextFileSync(`${folder}/state`, "no folder");
    const { state: broken } = await check(config, {}, ["state"]);
    assertEquals(broken?.status, "failed");
    assertStringIncludes(broken?.advice ?? "", "--state-dir");
  });
});

Deno.test("checks believe the running agent more than what they can do themselves", async () => {
  await inFolder(async (folder) => {
    using health = openHealth(folder);
    const port = 45_678;
    const args = ["--month-rotate", "1", "--metrics", `127.0.0.1:${port}`];
    const config = configIn(folder, ...args);
    health.accepted(3000);
    const ids = ["state", "metrics", "agent", "agents", "probes"];
    const fine = await check(config, {}, ids);
    assertEquals(Object.values(fine).map(({ id, status }) => [id, status]), [
      ["agent", "ok"],
      ["agents", "ok"],
      ["probes", "skipped"],
      ["state", "ok"],
      ["metrics", "ok"],
    ]);
    health.setProblem("state", "No space left on device");
    health.setProblem("metrics", "Address already in use");
    health.setProblem("authorities", "no such file");
    const panel = { panel: "127.0.0.1:1", sinceMs: Date.now(), failures: 0, probes: 1 };
    const counted = { lastMinute: 12, lost: 12, shortConnections: 3 };
    health.setPanels([{ ...panel, ...counted }], { now: true });
    const broken = await check(config, {}, ids);
    assertEquals(Object.values(broken).map(({ id, status }) => [id, status]), [
      ["agent", "warning"],
      ["agents", "failed"],
      ["probes", "warning"],
      ["state", "failed"],
      ["metrics", "failed"],
    ]);
    assertStringIncludes(broken.state?.advice ?? "", "make room");
    assertStringIncludes(broken.agents?.text ?? "", "another machine");
    assertStringIncludes(broken.agents?.advice ?? "", "proxy_read_timeout");
    assertStringIncludes(broken.metrics?.advice ?? "", `:${port}`);
    assertEquals(broken.probes?.text, "12 in the last minute, 12 lost");
  });
});

Deno.test("serviceChecks() say why the agent has not registered", async () => {
  await inFolder(async (folder) => {
    using health = openHealth(folder);
    health.setProblem("registration", "status 403");
    const { agent } = await check(configIn(folder), {}, ["agent"]);
    assertStringIncludes(agent?.text ?? "", "can't be registered: status 403");
    assertEquals(agent?.status, "failed");
    assertStringIncludes(agent?.advice ?? "", "key of --auto-discovery");
  });
});

Deno.test("serviceChecks() fail while graphics cards that --gpu asks for can't be measured", async () => {
  await inFolder(async (folder) => {
    using health = openHealth(folder);
    health.accepted(3000);
    health.setProblem("gpu", "Driver/library version mismatch");
    const { agent } = await check(configIn(folder, "--gpu"), {}, ["agent"]);
    assertStringIncludes(
      agent?.text ?? "",
      "can't be measured: Driver/library version mismatch",
    );
    assertEquals(agent?.status, "failed");
    assertStringIncludes(agent?.advice ?? "", "nvidia-smi");
  });
});

Deno.test("machineChecks() name an address of metrics that no interface has", async () => {
  await inFolder(async (folder) => {
    leaveKilled(folder);
    const { metrics } = await check(configIn(folder, "--metrics", "192.0.2.7:9100"), {}, [
      "metrics",
    ]);
    assertEquals(metrics?.status, "failed");
    assertStringIncludes(metrics?.advice ?? "", "no interface here has 192.0.2.7");
  });
});

Deno.test("serviceChecks() leave an agent alone that reports to another panel", async () => {
  await inFolder(async (folder) => {
    using health = openHealth(folder);
    const panel = { panel: "q.example", sinceMs: Date.now(), failures: 3, probes: 0 };
    health.setPanels([panel], { now: true });
    const { agent } = await check(configIn(folder), {}, ["agent"]);
    assertEquals(agent?.status, "skipped");
    assertStringIncludes(agent?.text ?? "", "reports to q.example");
  });
});

Deno.test("machineChecks() try the address of metrics where no agent runs", async () => {
  await inFolder(async (folder) => {
    leaveKilled(folder);
    const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const { port } = listener.addr;
    const config = configIn(folder, "--metrics", `127.0.0.1:${port}`);
    const { metrics: taken } = await check(config, {}, ["metrics"]);
    assertEquals(taken?.status, "failed");
    listener.close();
    assertEquals((await check(config, {}, ["metrics"])).metrics?.status, "ok");
  });
});

Deno.test("parseCheck() takes what a doctor has written, fit to be shown, and nothing else", () => {
  const written = {
    id: "x",
    title: "X",
    status: "ok" as const,
    text: "with s3cret \x1b[2J",
    ms: 1,
  };
  assertEquals(parseCheck(written, ["s3cret"]), [{
    ...written,
    panel: undefined,
    advice: undefined,
    text: "with …  [2J",
  }]);
  for (
    const wrong of [undefined, 1, {}, { ...written, status: "toString" }, { ...written, ms: "1" }]
  ) {
    assertEquals(parseCheck(wrong, []), []);
  }
});
