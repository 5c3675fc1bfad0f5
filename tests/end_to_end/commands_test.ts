import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { AgentProcess } from "./agent_process.ts";

async function outcome(args: readonly string[], env: Record<string, string> = {}) {
  await using agent = new AgentProcess(args, { env });
  const { code } = await agent.ends();
  return { code, output: agent.output };
}

Deno.test("version and --version show the version", async () => {
  for (const args of [["version"], ["--version"]]) {
    const { code, output } = await outcome(args);
    assertEquals(code, 0);
    assertMatch(output, /^komari-agent-deno \d+\.\d+\.\d+\n$/);
  }
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
  ];
  for (const [args, words] of wrong) {
    const { code, output } = await outcome(args);
    assertEquals(code, 2, output);
    assertStringIncludes(output, words);
    assertEquals(output.trimEnd().split("\n").length, 1, output);
  }
});

Deno.test("an official option without effect is named in the log", async () => {
  await using agent = new AgentProcess(["-e", "http://127.0.0.1:9", "-t", "x"], {
    env: { AGENT_MONTH_ROTATE: "1" },
  });
  await agent.says("variable AGENT_MONTH_ROTATE has no effect");
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
  for (const title of ["Basic info", "Report", "Interfaces", "Mount points"]) {
    assertMatch(output, new RegExp(`^${title}$`, "m"));
  }
  assertMatch(
    output,
    /^ {2}Memory +[\d.]+ [KMGT]?i?B of [\d.]+ [KMGT]iB +\/proc\/meminfo, mode htop$/m,
  );
});

Deno.test("demo reports this machine to a page of its own, also when its port is taken", async () => {
  await using first = new AgentProcess(["demo", "--port", "25790"]);
  await first.says("First report accepted");
  await using second = new AgentProcess(["demo", "--port", "25790"]);
  await second.says("First report accepted");
  const [, port = ""] = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(second.output) ?? [];
  assert(Number(port) > 25790, second.output);
  const page = await fetch(`http://127.0.0.1:${port}/`);
  assertStringIncludes(await page.text(), "<title>");
  const { code, tookMs } = await second.stop("SIGINT");
  assertEquals(code, 0, second.output);
  assertLess(tookMs, 1000);
});

Deno.test("demo --fault help lists the ways to misbehave", async () => {
  const { code, output } = await outcome(["demo", "--fault", "help"]);
  assertEquals(code, 0);
  assertMatch(output, /^hang +\S/m);
});
