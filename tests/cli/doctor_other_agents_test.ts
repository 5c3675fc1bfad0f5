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
import { healthOf } from "./seen_health.ts";
import { onLinux } from "../only_on.ts";

const TOKEN = "t0ken-of-this-node";

/** What is said of a process below `/proc`. */
interface Said {
  readonly env?: readonly string[];
  readonly parent?: number;
  readonly cgroup?: string;
}

/** Puts a process with these words into a folder that stands for `/proc`. */
function put(proc: string, pid: number, words: readonly string[], said: Said = {}): void {
  const { env = [], parent = 0, cgroup } = said;
  const folder = `${proc}/${pid}`;
  Deno.mkdirSync(`${folder}/cwd`, { recursive: true });
  Deno.writeTextFileSync(`${folder}/cmdline`, words.map((word) => `${word}\0`).join(""));
  Deno.writeTextFileSync(`${folder}/environ`, env.map((it) => `${it}\0`).join(""));
  Deno.writeTextFileSync(`${folder}/stat`, `${pid} (a (b) c) S ${parent} 1 1 0 -1 0\n`);
  if (cgroup !== undefined) Deno.writeTextFileSync(`${folder}/cgroup`, cgroup);
}

inFolder.test("otherProcesses() finds agents with a token, and neither this agent nor shells", async ({ path: proc }) => {
  const program = "/opt/komari-agent-deno/komari-agent-deno";
  const config = `${proc}/config.json`;
  Deno.writeTextFileSync(config, JSON.stringify({ token: TOKEN }));
  const env = [`AGENT_TOKEN=${TOKEN}`];
  const settings = Array.from({ length: 20 }, (_, index) => `-p=${index}`);
  const own = "/machine/of-test";
  const processes: [pid: number, words: string[], said?: Said][] = [
    [1, ["/sbin/init"], { cgroup: `1:cpu:/\n0::${own}/init.scope\n` }],
    [9, ["sudo", program, "-t", TOKEN]],
    [10, [program, "--config", config], { parent: 9 }],
    [11, [program, "helper", TOKEN], { parent: 10 }],
    [20, ["bash"], { env }],
    [21, ["/usr/bin/komari-agent-deno", "doctor", "-t", TOKEN], { parent: 20 }],
    [30, ["/opt/komari/agent", "-e", "https://p.example", "-t", TOKEN], {
      cgroup: "0::/other/system.slice/of-a-container.service\n",
    }],
    [31, ["deno", "run", "/srv/komari-agent-deno-portable"], {
      ...{ env, cgroup: `0::${own}/user.slice/user-0.slice/session-1.scope\n` },
    }],
    [32, ["/tmp/komari-agent-deno", "--config", config], {
      cgroup: `9:cpu:/\n1:name=systemd:${own}/system.slice/node-three.service\n`,
    }],
    [33, ["/opt/komari/agent", "-t", `${TOKEN}-of-another`]],
    [34, ["sh", "-c", "komari-agent-deno-shell"], { env, parent: 30 }],
    [35, ["deno", "run", "/opt/two/node-two", "--config", config], {
      cgroup: `0::${own}/system.slice/system-two.slice/two@1.service\n`,
    }],
    [36, ["vim", "/etc/x/config.json"], { env }],
    [37, [program, "doctor", "--json", "--config", config]],
    [38, ["deno", "run", program, "config", "show", "--config", config]],
    [39, ["systemd-run", ...settings, "/x/node", "doctor", "--json", "--config", config]],
    [40, ["/opt/agent"], {
      env,
      cgroup: `0::${own}/system.slice/docker-4f1c0d6a9b3e${"0".repeat(52)}.scope\n`,
    }],
    [41, ["/opt/agent"], {
      env,
      cgroup: `1:name=systemd:${own}/machine.slice/libpod-4f1c0d6a9b3f${
        "1".repeat(52)
      }.scope/container\n`,
    }],
  ];
  for (const [pid, words, said] of processes) put(proc, pid, words, said);
  const found = await otherProcesses(new Set([TOKEN]), { agents: [10], proc, self: 21 });
  assertEquals(found.sort((one, other) => one.pid - other.pid), [
    { name: "agent", pid: 30, of: undefined },
    { name: "komari-agent-deno-portable", pid: 31, of: undefined },
    { name: "komari-agent-deno", pid: 32, of: ofUnit("node-three.service") },
    { name: "node-two", pid: 35, of: ofUnit("two@1.service") },
    {
      name: "agent",
      pid: 40,
      of: { name: "container 4f1c0d6a9b3e", stop: stopOf("docker", "4f1c0d6a9b3e") },
    },
    {
      name: "agent",
      pid: 41,
      of: { name: "container 4f1c0d6a9b3f", stop: stopOf("podman", "4f1c0d6a9b3f") },
    },
  ]);
});

inFolder.test("otherProcesses() reads a token in each spelling, and a bounded command line", async ({ path: proc }) => {
  const flags = Array.from({ length: 14 }, (_, at) => `--v8-flag-${at}`);
  const processes = [
    ["agent", `-t${TOKEN}`],
    ["agent", `--token=${TOKEN}`],
    ["agent", `--token=${TOKEN}x`, `x${TOKEN}`],
    ["deno", ...flags, "/x/komari-agent-deno", TOKEN],
    ["deno", ...flags, "run", "/x/komari-agent-deno", TOKEN],
    ["/x/agent/tool", TOKEN],
    ["agent", "x".repeat(256 * 1024), TOKEN],
    ["agent", "-c", `${proc}/config.json`],
    ["agent", "--config", "config.json"],
  ];
  for (const [at, words] of processes.entries()) put(proc, at + 1, words);
  Deno.writeTextFileSync(`${proc}/config.json`, JSON.stringify({ token: TOKEN }));
  const found = await otherProcesses(new Set([TOKEN]), { agents: [], proc, self: 999 });
  assertEquals(found.map(({ pid }) => pid).sort(), [1, 2, 4, 8]);
  assertEquals(await otherProcesses(new Set(), { agents: [], proc, self: 999 }), []);
  assertEquals(await otherProcesses(new Set([TOKEN]), { agents: [1], proc: "/nowhere" }), []);
});

inFolder.test("otherProcesses() finds an agent of any name by the panel's address and its token", async ({ path: proc }) => {
  const url = "https://p.example";
  const processes: [words: string[], env?: string[]][] = [
    [["/usr/bin/deno", "run", "-A", "/root/kad", "-e", url, "-t", TOKEN]],
    [["kad", "-t", TOKEN, `--endpoint=${url}`]],
    [["./kad", "-e", url, "--token-file", "token"]],
    [["kad", "-e", url], [`AGENT_TOKEN=${TOKEN}`]],
    [["kad", "doctor", "-e", url, "-t", TOKEN]],
    [["kad", "-e", url, "-t", "of-another"]],
    [["bash", "-e", "script"], [`AGENT_TOKEN=${TOKEN}`]],
    [["grep", TOKEN, "file"]],
  ];
  for (const [at, [words, env = []]] of processes.entries()) {
    put(proc, at + 1, words, { env });
    Deno.writeTextFileSync(`${proc}/${at + 1}/cwd/token`, `${TOKEN}\n`);
  }
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

const HEALTH = healthOf();

function ofUnit(name: string): { name: string; stop: string } {
  return { name, stop: `systemctl stop ${name}; systemctl disable ${name}` };
}

function stopOf(engine: "docker" | "podman", id: string): string {
  return engine === "docker"
    ? `docker update --restart=no ${id}; docker stop ${id}`
    : `podman stop ${id}`;
}

Deno.test("otherAgentsResult() fails for an agent with the same token, and warns of another node's", () => {
  const ours = new Set([TOKEN]);
  const table: [
    officials: readonly OfficialAgent[],
    processes: Parameters<typeof otherAgentsResult>[1]["processes"],
    status: string,
    words: string,
  ][] = [
    [[], [], "ok", "none is seen here with the same token"],
    [
      [officialOf("komari", TOKEN), officialOf("two", "x")],
      [{ name: "agent", pid: 8, of: ofUnit("two.service") }],
      "failed",
      "the official agent's service komari runs with the same token",
    ],
    [
      [officialOf("two", "x")],
      [{ name: "agent", pid: 8, of: ofUnit("two.service") }, {
        name: "deno",
        pid: 9,
        of: undefined,
      }],
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
  const none = otherAgentsResult([], { ours: new Set(), processes: [] });
  assertEquals([none.status, none.text], ["skipped", "there is no token by which they are known"]);
  for (const [officials, processes, status, words] of table) {
    const found = otherAgentsResult(officials, { ours, processes });
    // One that is installed takes nobody's place.
    const stop = "systemctl disable --now x";
    const beside = otherAgentsResult(officials, { ours, processes, stop }).advice ?? "";
    assertEquals(beside.includes("--replace"), false, beside);
    const shown = beside.includes(`stop that one: ${stop}`);
    assertEquals(shown, found.advice?.includes("--replace") ?? false);
    const { text } = found;
    assertEquals([found.status, adviceText(found) === ""], [status, status === "ok"], text);
    assertStringIncludes(text, words);
  }
  const adviceFor = (unit?: string) => {
    const of = unit === undefined ? undefined : ofUnit(unit);
    return otherAgentsResult([], { ours, processes: [{ name: "agent", pid: 8, of }] }).advice;
  };
  assertStringIncludes(adviceFor() ?? "", "stop it, if it is not wanted (kill 8), or give each");
  assertStringIncludes(
    adviceFor("two.service") ?? "",
    "(systemctl stop two.service; systemctl disable two.service)",
  );
});

onLinux.test("checkOtherAgents() looks for the token of each panel, and for none where there is none", async () => {
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
  assertEquals((await found([])).status, "skipped");
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
});
