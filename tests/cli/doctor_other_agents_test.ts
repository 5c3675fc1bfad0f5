import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  agentsBeside,
  checkOtherAgents,
  otherAgentsResult,
  otherProcesses,
} from "../../lib/cli/doctor_other_agents.ts";
import type { OfficialAgent } from "../../lib/service/official_agent.ts";
import type { Health } from "../../lib/state/health_reader.ts";
import { configOf } from "./fake_context.ts";
import { replaced } from "../replaced.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { adviceText } from "./advice_text.ts";
import { OtherAgent } from "./other_agent.ts";

const TOKEN = "t0ken-of-this-node";

inFolder.test("otherProcesses() finds agents with a token, and neither this agent nor shells", async ({ path: proc }) => {
  const put = (pid: number, parent: number, words: string[], env: string[] = []): void => {
    Deno.mkdirSync(`${proc}/${pid}`);
    Deno.writeTextFileSync(`${proc}/${pid}/cmdline`, words.map((word) => `${word}\0`).join(""));
    Deno.writeTextFileSync(`${proc}/${pid}/environ`, env.map((it) => `${it}\0`).join(""));
    Deno.writeTextFileSync(`${proc}/${pid}/stat`, `${pid} (a (b) c) S ${parent} 1 1 0 -1 0\n`);
  };
  const putCgroup = (pid: number, text: string) =>
    Deno.writeTextFileSync(`${proc}/${pid}/cgroup`, text);
  const program = "/opt/komari-agent-deno/komari-agent-deno";
  const config = `${proc}/config.json`;
  Deno.writeTextFileSync(config, JSON.stringify({ token: TOKEN }));
  put(1, 0, ["/sbin/init"]);
  put(9, 1, ["sudo", program, "-t", TOKEN]);
  put(10, 9, [program, "--config", config]);
  put(11, 10, [program, "helper", TOKEN]);
  put(20, 1, ["bash"], [`AGENT_TOKEN=${TOKEN}`]);
  put(21, 20, ["/usr/bin/komari-agent-deno", "doctor", "-t", TOKEN]);
  put(30, 1, ["/opt/komari/agent", "-e", "https://p.example", "-t", TOKEN]);
  put(31, 1, ["deno", "run", "/srv/komari-agent-deno-portable"], [`AGENT_TOKEN=${TOKEN}`]);
  put(32, 1, ["/tmp/komari-agent-deno", "--config", config]);
  put(33, 1, ["/opt/komari/agent", "-t", `${TOKEN}-of-another`]);
  put(35, 1, ["deno", "run", "/opt/two/node-two", "--config", config]);
  put(37, 1, [program, "doctor", "--json", "--config", config]);
  const settings = Array.from({ length: 20 }, (_, index) => `-p=${index}`);
  put(39, 1, ["systemd-run", ...settings, "/x/node", "doctor", "--json", "--config", config]);
  put(38, 1, ["deno", "run", program, "config", "show", "--config", config]);
  put(36, 1, ["vim", "/etc/x/config.json"], [`AGENT_TOKEN=${TOKEN}`]);
  put(34, 30, ["sh", "-c", "komari-agent-deno-shell"], [`AGENT_TOKEN=${TOKEN}`]);
  putCgroup(1, "1:cpu:/\n0::/machine/of-test/init.scope\n");
  putCgroup(30, "0::/other/system.slice/of-a-container.service\n");
  putCgroup(31, "0::/machine/of-test/user.slice/user-0.slice/session-1.scope\n");
  putCgroup(32, "9:cpu:/\n1:name=systemd:/machine/of-test/system.slice/node-three.service\n");
  putCgroup(35, "0::/machine/of-test/system.slice/system-two.slice/two@1.service\n");
  const found = await otherProcesses(new Set([TOKEN]), { agents: [10], proc, self: 21 });
  assertEquals(found.sort((one, other) => one.pid - other.pid), [
    { name: "agent", pid: 30, unit: "" },
    { name: "komari-agent-deno-portable", pid: 31, unit: "" },
    { name: "komari-agent-deno", pid: 32, unit: "node-three.service" },
    { name: "node-two", pid: 35, unit: "two@1.service" },
  ]);
});

inFolder.test("otherProcesses() reads a token in each spelling, and a bounded command line", async ({ path: proc }) => {
  const put = (pid: number, words: string[]) => {
    Deno.mkdirSync(`${proc}/${pid}`);
    Deno.writeTextFileSync(`${proc}/${pid}/cmdline`, words.map((it) => `${it}\0`).join(""));
  };
  const flags = Array.from({ length: 14 }, (_, at) => `--v8-flag-${at}`);
  put(1, ["agent", `-t${TOKEN}`]);
  put(2, ["agent", `--token=${TOKEN}`]);
  put(3, ["agent", `--token=${TOKEN}x`, `x${TOKEN}`]);
  put(4, ["deno", ...flags, "/x/komari-agent-deno", TOKEN]);
  put(5, ["deno", ...flags, "run", "/x/komari-agent-deno", TOKEN]);
  put(6, ["/x/agent/tool", TOKEN]);
  put(7, ["agent", "x".repeat(256 * 1024), TOKEN]);
  put(8, ["agent", "-c", `${proc}/config.json`]);
  put(9, ["agent", "--config", "config.json"]);
  Deno.writeTextFileSync(`${proc}/config.json`, JSON.stringify({ token: TOKEN }));
  const found = await otherProcesses(new Set([TOKEN]), { agents: [], proc, self: 999 });
  assertEquals(found.map(({ pid }) => pid).sort(), [1, 2, 4, 8]);
  assertEquals(await otherProcesses(new Set(), { agents: [], proc, self: 999 }), []);
  assertEquals(await otherProcesses(new Set([TOKEN]), { agents: [1], proc: "/nowhere" }), []);
});

inFolder.test("otherProcesses() finds an agent of any name by the panel's address and its token", async ({ path: proc }) => {
  const put = (pid: number, words: string[], env: string[] = []): void => {
    Deno.mkdirSync(`${proc}/${pid}/cwd`, { recursive: true });
    Deno.writeTextFileSync(`${proc}/${pid}/cwd/token`, `${TOKEN}\n`);
    Deno.writeTextFileSync(`${proc}/${pid}/cmdline`, words.map((it) => `${it}\0`).join(""));
    Deno.writeTextFileSync(`${proc}/${pid}/environ`, env.map((it) => `${it}\0`).join(""));
  };
  const url = "https://p.example";
  put(1, ["/usr/bin/deno", "run", "-A", "/root/kad", "-e", url, "-t", TOKEN]);
  put(2, ["kad", "-t", TOKEN, `--endpoint=${url}`]);
  put(3, ["./kad", "-e", url, "--token-file", "token"]);
  put(4, ["kad", "-e", url], [`AGENT_TOKEN=${TOKEN}`]);
  put(5, ["kad", "doctor", "-e", url, "-t", TOKEN]);
  put(6, ["kad", "-e", url, "-t", "of-another"]);
  put(7, ["bash", "-e", "script"], [`AGENT_TOKEN=${TOKEN}`]);
  put(8, ["grep", TOKEN, "file"]);
  const found = await otherProcesses(new Set([TOKEN]), { agents: [], proc, self: 999 });
  assertEquals(
    found.sort((one, other) => one.pid - other.pid).map(({ name, pid }) => [pid, name]),
    [[1, "kad"], [2, "kad"], [3, "kad"], [4, "kad"]],
  );
});

function officialOf(serviceName: string, token: string): OfficialAgent {
  return {
    ...{ manager: "systemd", scope: "system", serviceName, unitPath: `/x/${serviceName}.service` },
    ...{ binary: "/opt/komari/agent", words: [], args: ["-e", "https://p.example", "-t", token] },
    ...{ env: {}, workingDirectory: "", user: "" },
  };
}

const HEALTH: Health = {
  ...{ pid: 7, version: "1.2.3", intervalMs: 3000, acceptedAtMs: 1, startedAtMs: 1 },
  ...{ panels: [], problems: [], seal: "", isRunning: true },
};

Deno.test("otherAgentsResult() fails for an agent with the same token, and warns of another node's", () => {
  const ours = new Set([TOKEN]);
  const table: [
    officials: readonly OfficialAgent[],
    processes: { name: string; pid: number; unit: string }[],
    status: string,
    words: string,
  ][] = [
    [[], [], "ok", "none is seen here with the same token"],
    [
      [officialOf("komari", TOKEN), officialOf("two", "x")],
      [{ name: "agent", pid: 8, unit: "two.service" }],
      "failed",
      "the official agent's service komari runs with the same token",
    ],
    [
      [officialOf("two", "x")],
      [{ name: "agent", pid: 8, unit: "two.service" }, { name: "deno", pid: 9, unit: "" }],
      "failed",
      "another agent runs with the same token: agent (process 8 of two.service), deno (process 9)",
    ],
    [
      [officialOf("komari", "x"), officialOf("two", "")],
      [],
      "warning",
      "the official agent's service komari, two runs here too, as another node",
    ],
  ];
  for (const [officials, processes, status, words] of table) {
    const found = otherAgentsResult(officials, { ours, processes });
    // One that is installed takes nobody's place.
    const stop = "systemctl disable --now x";
    const beside = otherAgentsResult(officials, { ours, processes, stop }).advice ?? "";
    assertEquals(beside.includes("--replace"), false, beside);
    assertEquals(
      beside.includes(`stop that one: ${stop}`),
      found.advice?.includes("--replace") ?? false,
    );
    const { text } = found;
    assertEquals([found.status, adviceText(found) === ""], [status, status === "ok"], text);
    assertStringIncludes(text, words);
  }
  const adviceFor = (unit: string) =>
    otherAgentsResult([], { ours, processes: [{ name: "agent", pid: 8, unit }] }).advice;
  assertStringIncludes(adviceFor("") ?? "", "stop it, if it is not wanted (kill 8), or give each");
  assertStringIncludes(
    adviceFor("two.service") ?? "",
    "(systemctl stop two.service; systemctl disable two.service)",
  );
});

Deno.test({
  name: "checkOtherAgents() looks for the token of each panel, and for none where there is none",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using temp = new TempFolder();
    const folder = temp.path;
    const file = `${folder}/config.json`;
    const [first, second] = [crypto.randomUUID(), crypto.randomUUID()];
    await using agent = await OtherAgent.start(folder, second);
    const { signal } = new AbortController();
    const found = async (tokens: readonly string[], health?: Health) => {
      const panels = tokens.map((token, at) => ({ endpoint: `https://p${at}.example`, token }));
      Deno.writeTextFileSync(file, JSON.stringify({ panels }));
      const config = tokens.length === 0 ? configOf([]) : configOf(["--config", file]);
      const beside = await agentsBeside(config, health);
      const env = { HOME: folder };
      const all = await checkOtherAgents(config, { env, health, mainPid: 0, signal });
      const isInWords = beside === `${all.text}: ${all.advice}`;
      assertEquals(isInWords, health !== undefined && all.status === "failed", beside);
      return all;
    };
    const other = await found([first, second]);
    assertEquals(other.status, "failed", other.text);
    assertStringIncludes(other.text, `komari-agent-of-the-test (process ${agent.pid})`);
    assertEquals((await found([first])).status, "ok");
    assertEquals((await found([first, second], HEALTH)).status, "failed");
    assertEquals((await found([])).status, "ok");
    const ours = await found([first, second], { ...HEALTH, pid: agent.pid });
    assertEquals(ours.status, "ok", "it is the running agent");
    const { readTextFile } = Deno;
    using _cgroup = replaced(Deno, {
      readTextFile: (path) =>
        String(path) === `/proc/${agent.pid}/cgroup`
          ? Promise.resolve("0::/system.slice/komari-agent-deno.service\n")
          : String(path) === "/proc/1/cgroup"
          ? Promise.resolve("0::/init.scope\n")
          : readTextFile(path),
    });
    assertEquals((await found([first, second])).status, "ok", "it is the service's process");
  },
});
