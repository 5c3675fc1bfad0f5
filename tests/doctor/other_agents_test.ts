import { assertEquals } from "@std/assert";
import { otherProcesses } from "../../lib/doctor/other_agents.ts";
import { inFolder } from "../temp_folder.ts";

const TOKEN = "t0ken-of-this-node";

/** What else is known of a process. */
interface Said {
  readonly env?: string;
  readonly parent?: number;
  /** A file that it has open. */
  readonly opens?: string;
  /** The real user, who may be another than that of a program such as `su`. */
  readonly user?: number | null;
}

/** Puts processes into a folder that stands for `/proc`, each with its command line. */
function put(proc: string, processes: Readonly<Record<number, readonly [line: string, Said?]>>) {
  for (const [pid, [line, said = {}]] of Object.entries(processes)) {
    const { env = "", parent = 0, opens, user = Deno.uid() } = said;
    const folder = `${proc}/${pid}`;
    Deno.mkdirSync(`${folder}/cwd`, { recursive: true });
    Deno.mkdirSync(`${folder}/fd`);
    Deno.writeTextFileSync(`${folder}/cmdline`, line.split(" ").map((it) => `${it}\0`).join(""));
    Deno.writeTextFileSync(`${folder}/environ`, `${env}\0`);
    Deno.writeTextFileSync(`${folder}/status`, `Uid:\t${user}\t0\t0\t0\nGid:\t${user}\t0\t0\t0\n`);
    Deno.writeTextFileSync(`${folder}/stat`, `${pid} (a (b) c) S ${parent} 1 1 0 -1 0\n`);
    Deno.writeTextFileSync(`${folder}/cwd/token`, `${TOKEN}\n`);
    if (opens !== undefined) Deno.symlinkSync(opens, `${folder}/fd/7`);
  }
}

async function found(
  proc: string,
  { agents = [] as number[], folders = [] as string[], self = 999 } = {},
): Promise<string[]> {
  const all = await otherProcesses(new Set([TOKEN]), { agents, folders, proc, self });
  return all.map(({ pid, name }) => `${pid} ${name}`).sort();
}

inFolder.test("agents with a token are found, and neither this agent, its family nor shells", async ({ path: proc }) => {
  const program = "/opt/komari-agent-deno/komari-agent-deno";
  const env = `AGENT_TOKEN=${TOKEN}`;
  Deno.writeTextFileSync(`${proc}/config.json`, JSON.stringify({ token: TOKEN }));
  const config = `--config ${proc}/config.json`;
  put(proc, {
    9: [`sudo ${program} -t ${TOKEN}`],
    10: [`${program} ${config}`, { parent: 9 }],
    11: [`${program} helper ${TOKEN}`, { parent: 10 }],
    20: ["bash", { env }],
    21: [`/usr/bin/komari-agent-deno doctor -t ${TOKEN}`, { parent: 20 }],
    30: [`/opt/komari/agent -e https://p.example -t ${TOKEN}`],
    31: ["deno run /srv/komari-agent-deno-portable", { env }],
    32: [`/tmp/komari-agent-deno ${config}`],
    33: [`/opt/komari/agent -t ${TOKEN}-of-another`],
    34: ["sh -c komari-agent-deno-shell", { env, parent: 30 }],
    35: ["./kad -e https://p.example --token-file token"],
    // More files than an agent has: a hostile process names thousands of large ones.
    40: ["/opt/komari/agent --config a --config b --config c --config d --token-file token"],
    36: ["vim /etc/x/config.json", { env }],
    37: [`${program} doctor --json ${config}`],
    38: [`deno run ${program} config show ${config}`],
    39: [`grep ${TOKEN} file`],
  });
  assertEquals(await found(proc, { agents: [10], self: 21 }), [
    "30 agent",
    "31 komari-agent-deno-portable",
    "32 komari-agent-deno",
    "35 kad",
  ]);
});

inFolder.test("a token is known in each spelling, and a command line is read up to a limit", async ({ path: proc }) => {
  put(proc, {
    1: [`agent -t${TOKEN}`],
    2: [`agent --token=${TOKEN}`],
    3: [`agent --token=${TOKEN}x x${TOKEN}`],
    4: [`/x/agent/tool ${TOKEN}`],
    5: [`agent ${"x".repeat(256 * 1024)} ${TOKEN}`],
    6: ["agent --token-file /nowhere/token"],
    7: ["agent --token-file long"],
    8: ["su root -- agent --token-file roots", { user: 12_345 }],
    9: ["agent --token-file closed/token", { user: 12_345 }],
    10: [`/opt/→/agent→x -t${TOKEN}`],
    // Others could put a link to a device or a pipe in its place, which root would open.
    11: ["agent --token-file token"],
  });
  Deno.writeTextFileSync(`${proc}/7/cwd/long`, TOKEN + " ".repeat(256 * 1024));
  Deno.writeTextFileSync(`${proc}/8/cwd/roots`, TOKEN, { mode: 0o600 });
  // That user can't pass the folder, and so does not have what is in it.
  Deno.mkdirSync(`${proc}/9/cwd/closed`, { mode: 0o700 });
  Deno.writeTextFileSync(`${proc}/9/cwd/closed/token`, TOKEN, { mode: 0o644 });
  Deno.chmodSync(`${proc}/11/cwd`, 0o777);
  assertEquals(await found(proc), ["1 agent", "10 agent->x", "2 agent"]);
});

inFolder.test("a process that has this agent's own files open is no other agent", async ({ path: proc }) => {
  // As where others may write into its run folder, so that its health file is not believed.
  const line = `/opt/komari-agent -t ${TOKEN}`;
  put(proc, {
    1: [line, { opens: "/run/komari-agent-deno/health" }],
    2: [line, { opens: "/var/lib/komari-agent-deno/month.state" }],
    3: [line, { opens: "/run/komari-agent-deno-two/health" }],
  });
  const folders = ["/run/komari-agent-deno", "/var/lib/komari-agent-deno"];
  assertEquals(await found(proc, { folders }), ["3 komari-agent"]);
  assertEquals((await found(proc)).length, 3);
});
