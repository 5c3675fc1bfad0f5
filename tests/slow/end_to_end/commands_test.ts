import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { AgentProcess } from "../../end_to_end/agent_process.ts";

async function outcome(args: readonly string[], env: Record<string, string> = {}) {
  await using agent = new AgentProcess(args, { env });
  const { code } = await agent.ends();
  return { code, output: agent.output };
}

Deno.test("version and --version show the version", async () => {
  for (const args of [["version"], ["--version"]]) {
    const { code, output } = await outcome(args);
    assertEquals(code, 0);
    assertMatch(output, /^komari-agent-deno \d+\.\d+\.\d+ \([a-z]+-[a-z\d]+, source\)\n$/);
  }
});

Deno.test("version --json tells programs what runs on what", async () => {
  const { code, output } = await outcome(["version", "--json"]);
  assertEquals(code, 0);
  const { deno, form } = JSON.parse(output);
  assertEquals({ deno, form }, { deno: Deno.version.deno, form: "source" });
});

Deno.test("--help and -h show the options", async () => {
  for (const flag of ["--help", "-h"]) {
    const { code, output } = await outcome([flag]);
    assertEquals(code, 0);
    assertStringIncludes(output, "--endpoint URL");
  }
});

Deno.test("what can't be understood ends with exit code 2 and one line", async () => {
  const wrong: [string[], string][] = [
    [[], "--endpoint"],
    [["-e", "http://127.0.0.1"], "--token"],
    [["--intervall", "5"], "did you mean --interval?"],
    [["demo", "--fault", "nothing-like-it"], "502-html"],
    [["-e", "nowhere", "-t", "x"], "https://"],
    [["--fault", "help"], '"demo"'],
    [["--token-file", "/nonexistent"], "Cannot read --token-file /nonexistent: no such file"],
    [["--token-file", "/"], "Cannot read --token-file /: it is a folder"],
  ];
  for (const [args, words] of wrong) {
    const { code, output } = await outcome(args);
    assertEquals(code, 2, output);
    assertStringIncludes(output, words);
    assertEquals(output.trimEnd().split("\n").length, 1, output);
  }
});

Deno.test("what can't be understood is told in the wanted form", async () => {
  const { code, output } = await outcome(["--log-format", "json", "--intervall", "5"]);
  assertEquals(code, 2, output);
  const { level, message } = JSON.parse(output);
  assertEquals(level, "error");
  assertStringIncludes(message, "did you mean --interval?");
});

Deno.test("a token file that others can read is named in the log", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "s3cret");
    await Deno.chmod(path, 0o644);
    await using agent = new AgentProcess(["-e", "http://127.0.0.1:9", "--token-file", path]);
    await agent.says(`--token-file ${path} can be read by other users`);
    await agent.stop();
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a list that matches nothing is a warning that names its option", async () => {
  const args = ["--include-nics", "nope9", "--include-mountpoint", "/nope"];
  await using agent = new AgentProcess(["-e", "http://127.0.0.1:9", "-t", "x", ...args]);
  await agent.says("Counting the traffic of nothing");
  const [line = ""] = agent.lines("Counting the traffic of nothing");
  assertMatch(line, / warning +agent: .*--include-nics nope9.*--include-mountpoint \/nope/);
  await agent.stop();
});

Deno.test("an official option without effect is named in the log", async () => {
  await using agent = new AgentProcess(["-e", "http://127.0.0.1:9", "-t", "the-token"], {
    env: { AGENT_MAX_RETRIES: "9" },
  });
  await agent.says("variable AGENT_MAX_RETRIES has no effect");
  await agent.stop();
});

Deno.test("--dry-run --json tells what would be sent and where it comes from", async () => {
  const { code, output } = await outcome([
    ...["--dry-run", "--json", "-i", "0.2", "--memory-mode", "available"],
    ...["--custom-ipv4", "192.0.2.7", "--exclude-nics", "lo"],
  ]);
  assertEquals(code, 0, output);
  const told = JSON.parse(output);
  assertEquals(told.basicInfo.ipv4, "192.0.2.7");
  assertEquals(told.basicInfo.mem_total, told.report.ram.total);
  assert(told.report.network.up >= 0 && told.report.cpu.usage > 0);
  assertStringIncludes(told.sources.ram, "mode available");
  assertStringIncludes(told.sources.addresses, "--custom-ipv4");
  const lo = told.interfaces.find(({ name }: { name: string }) => name === "lo");
  assertEquals(lo.counted, false);
  const root = told.mountPoints.find(({ name }: { name: string }) => name.startsWith("/ "));
  assertEquals(root.counted, true);
});

Deno.test("--dry-run shows a table", async () => {
  const { code, output } = await outcome(["--dry-run", "-i", "0.2"]);
  assertEquals(code, 0, output);
  for (const title of ["Basic info", "Report"]) {
    assertMatch(output, new RegExp(`^${title}$`, "m"));
  }
  assertMatch(output, /^Interfaces, by \/proc\/net\/dev and \/sys\/class\/net$/m);
  assertMatch(output, /^Mount points, by \/proc\/self\/mountinfo$/m);
  assertMatch(
    output,
    /^ {2}Memory +[\d.]+ [KMGT]?i?B of [\d.]+ [KMGT]iB +\/proc\/meminfo, mode htop: total - free - .+$/m,
  );
});

Deno.test("--dry-run warns of what it was asked for in vain", async () => {
  const args = ["--dry-run", "-i", "0.2", "--show-warning", "--include-nics", "nope9"];
  const { code, output } = await outcome([...args, "--include-mountpoint", "/;/nope"]);
  assertEquals(code, 0, output);
  assertMatch(output, /^Measuring twice, 0\.2 s apart/m);
  assertStringIncludes(output, "flag --show-warning has no effect");
  assertMatch(output, / warning +agent: --include-nics nope9 matches no interface/);
  assertMatch(output, /^ {2}\/nope \(not mounted\) +left out/m);
});

Deno.test("--dry-run ends without a word when it is told to stop", async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    await using agent = new AgentProcess(["--dry-run", "-i", "20"]);
    await agent.says("Measuring twice, 5 s apart");
    await agent.stopsAtOnce(signal, { code: 130 });
    assertMatch(agent.output, /^Measuring twice.*\n$/);
  }
});

Deno.test("demo reports this machine to a page of its own, also when its port is taken", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using agent = new AgentProcess(["demo", "--port", `${taken.addr.port}`]);
  await agent.says("First report accepted");
  const [, port = ""] = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(agent.output) ?? [];
  assertNotEquals(port, `${taken.addr.port}`, agent.output);
  const page = await fetch(`http://127.0.0.1:${port}/`);
  assertStringIncludes(await page.text(), "<title>");
  await agent.stopsAtOnce("SIGINT");
  assertMatch(agent.output, / agent: Stopped\n$/);
});

Deno.test("demo tells which options have no effect", async () => {
  await using agent = new AgentProcess(["demo", "--show-warning"]);
  await agent.says("flag --show-warning has no effect");
  await agent.says("First report accepted");
  assertEquals((await agent.stop()).code, 0);
});

Deno.test("demo --fault help lists the ways to misbehave", async () => {
  const { code, output } = await outcome(["demo", "--fault", "help"]);
  assertEquals(code, 0);
  assertMatch(output, /^hang +\S/m);
});
