import { assertEquals } from "@std/assert";
import { otherProcesses } from "../../lib/cli/doctor_other_agents.ts";

const TOKEN = "t0ken-of-this-node";

Deno.test("otherProcesses() finds agents with a token, and neither this agent nor shells", () => {
  const proc = Deno.makeTempDirSync();
  try {
    const put = (pid: number, parent: number, words: string[], env: string[] = []): void => {
      Deno.mkdirSync(`${proc}/${pid}`);
      Deno.writeTextFileSync(`${proc}/${pid}/cmdline`, words.map((word) => `${word}\0`).join(""));
      Deno.writeTextFileSync(`${proc}/${pid}/environ`, env.map((it) => `${it}\0`).join(""));
      Deno.writeTextFileSync(`${proc}/${pid}/stat`, `${pid} (a (b) c) S ${parent} 1 1 0 -1 0\n`);
    };
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
    put(34, 30, ["sh", "-c", "komari-agent-deno-shell"], [`AGENT_TOKEN=${TOKEN}`]);
    const found = otherProcesses(new Set([TOKEN]), { agent: 10, proc, self: 21 });
    assertEquals(found.sort((one, other) => one.pid - other.pid), [
      { name: "agent", pid: 30 },
      { name: "deno", pid: 31 },
      { name: "komari-agent-deno", pid: 32 },
    ]);
  } finally {
    Deno.removeSync(proc, { recursive: true });
  }
});
