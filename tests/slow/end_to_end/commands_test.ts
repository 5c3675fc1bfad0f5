import { assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { TempFolder } from "../../temp_folder.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { patience } from "../../patience.ts";

Deno.test("options without effect, lists that match nothing and a token for everybody are named in the log", async () => {
  using folder = new TempFolder();
  const path = `${folder.path}/token`;
  await Deno.writeTextFile(path, "s3cret", { mode: 0o644 });
  const args = ["-e", "http://127.0.0.1:9", "--token-file", path];
  const lists = ["--include-nics", "nope9", "--include-mountpoint", "/nope"];
  const env = { AGENT_MAX_RETRIES: "9" };
  await using agent = new AgentProcess([...args, ...lists], { env });
  await agent.says("Network: none.");
  const [line = ""] = agent.lines("Network: none.");
  assertMatch(line, / warning +agent: .*--include-nics nope9.*--include-mountpoint \/nope/);
  await agent.says("variable AGENT_MAX_RETRIES has no effect");
  await agent.says(`--token-file ${path} can be read by all users`);
  await agent.stop();
});

Deno.test("demo reports this machine to a page of its own, also when its port is taken", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using agent = new AgentProcess(["demo", "--show-warning", "--port", `${taken.addr.port}`]);
  await agent.says("First report accepted");
  const [, port = ""] = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(agent.output) ?? [];
  assertNotEquals(port, `${taken.addr.port}`, agent.output);
  const page = await fetch(`http://127.0.0.1:${port}/`, { signal: patience() });
  assertStringIncludes(await page.text(), "<title>");
  await agent.stopsAtOnce("SIGINT");
  assertStringIncludes(agent.output, "flag --show-warning has no effect");
  assertMatch(agent.output, / agent: Stopped\n$/);
});
